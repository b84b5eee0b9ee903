//! A component for testing the host: it traps, exceeds limits, attempts what it is not granted, and uses interfaces that
//! the API does not use.

mod outgoing;

use std::time::Duration;

use bytes::Bytes;
use spin_sdk::http::{FullBody, IntoResponse, Request};
use spin_sdk::key_value::Store;
use spin_sdk::sqlite::Connection;

#[spin_sdk::http_service]
async fn serve(request: Request) -> impl IntoResponse {
    let text = match request.uri().path() {
        "/panic" => panic!("as requested"),
        "/memory" => {
            let mut allocated = Vec::new();
            loop {
                allocated.push(vec![1_u8; 1 << 20]);
            }
        }
        "/database" => {
            // Leaves a transaction open.
            let db = Connection::open_default().await.expect("a connection");
            let begun = db.execute("BEGIN IMMEDIATE", []).await.expect("a statement");
            begun.result().await.expect("a transaction");
            panic!("as requested");
        }
        "/attach" => execute("ATTACH 'elsewhere.db' AS elsewhere").await,
        "/attach-expression" => execute("ATTACH 'else' || 'where.db' AS elsewhere").await,
        "/vacuum" => execute("VACUUM INTO 'elsewhere.db'").await,
        "/blob" => execute("SELECT zeroblob(900000000)").await,
        "/blobs" => execute("SELECT zeroblob(20000000), zeroblob(20000000)").await,
        "/users" => execute("SELECT count(*) FROM users").await,
        // Two, so that only one of them is heavy.
        "/compute" | "/compute-too" => loop {
            std::hint::black_box(());
        },
        "/wait" => {
            spin_sdk::time::sleep(Duration::from_secs(3600)).await;
            "too late".to_owned()
        }
        "/pause" => {
            spin_sdk::time::sleep(Duration::from_secs(1)).await;
            "rested".to_owned()
        }
        // More than a response may have.
        "/large" => "x".repeat(9 << 20),
        "/key-value" => use_store().await,
        "/send" => outgoing::send(request).await,
        "/send-many" => outgoing::send_many(&request).await,
        "/send-unread" => outgoing::send_unread(&request).await,
        "/socket" => outgoing::open_socket(&request),
        _ => "fine".to_owned(),
    };
    http::Response::new(FullBody::new(Bytes::from(text)))
}

/// Runs a statement and returns its number of rows or its error as text.
async fn execute(statement: &str) -> String {
    let db = Connection::open_default().await.expect("a connection");
    let rows = match db.execute(statement, []).await {
        Ok(result) => result.collect().await,
        Err(error) => Err(error),
    };
    rows.map_or_else(|error| error.to_string(), |rows| format!("{} rows", rows.len()))
}

/// Sets two keys, changes one, deletes the other, and returns the results of reading them.
async fn use_store() -> String {
    let store = Store::open_default().await.expect("a store");
    store.set("kept", b"first").await.expect("a change");
    store.set("deleted", b"x").await.expect("a change");
    let before = store.exists("deleted").await.expect("an answer");
    store.set("kept", b"second").await.expect("a change");
    store.delete("deleted").await.expect("a change");
    let after = store.exists("deleted").await.expect("an answer");
    let kept = store.get("kept").await.expect("an answer").map(String::from_utf8);
    let keys = store.get_keys().await.collect().await.expect("an answer");
    let other = Store::open("other").await.err();
    format!("{before} {after} {kept:?} {keys:?} {other:?}")
}
