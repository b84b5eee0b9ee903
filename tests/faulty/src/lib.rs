//! A component that fails when asked to: what the API should never do, and its host must survive.

use bytes::Bytes;
use spin_sdk::http::{FullBody, IntoResponse, Request};

#[spin_sdk::http_service]
async fn serve(request: Request) -> impl IntoResponse {
    match request.uri().path() {
        "/panic" => panic!("asked to"),
        "/memory" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(vec![1_u8; 1 << 20]);
            }
        }
        "/database" => {
            // A transaction that nobody ends, on a connection that nobody keeps.
            let db = spin_sdk::sqlite::Connection::open_default().await.expect("a connection");
            let begun = db.execute("BEGIN IMMEDIATE", []).await.expect("a statement");
            begun.result().await.expect("a transaction");
            panic!("asked to");
        }
        _ => http::Response::new(FullBody::new(Bytes::from_static(b"fine"))),
    }
}
