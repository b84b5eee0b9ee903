//! The host's key-value store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_lite::future;
use lanterne_core::throttle::Cache;
use lanterne_database::BoxFuture;
use spin_sdk::key_value::{Error, Store};
use spin_sdk::time::sleep;

/// The store that the manifest grants.
const STORE: &str = "default";
/// How long a request waits for the store.
const WAIT_MAX: Duration = Duration::from_millis(250);

/// Whether the last use of the cache failed.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// The store as a cache. A request goes on without one that fails, and the log says so.
pub(super) struct KeyValue;

impl Cache for KeyValue {
    fn get<'a>(&'a self, keys: [&'a str; 2]) -> BoxFuture<'a, [Option<Vec<u8>>; 2]> {
        Box::pin(async move {
            let read = within(async {
                let store = Store::open(STORE).await?;
                let (first, second) = future::try_zip(store.get(keys[0]), store.get(keys[1])).await?;
                Ok([first, second])
            });
            match read.await {
                Ok(values) => {
                    HAS_FAILED.store(false, Ordering::Relaxed);
                    values
                }
                Err(reason) => {
                    report(&reason);
                    [None, None]
                }
            }
        })
    }

    fn set<'a>(&'a self, key: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let written = within(async { Store::open(STORE).await?.set(key, value).await });
            written.await.unwrap_or_else(|reason| report(&reason));
        })
    }
}

/// Logs a failure of the cache, once until it works again.
fn report(reason: &str) {
    if !HAS_FAILED.swap(true, Ordering::Relaxed) {
        super::log(&format!("the throttle works without its cache: key-value store: {reason}"));
    }
}

/// Reads from the store, as `GET /readyz` asks for.
///
/// # Errors
/// The store has failed, or has not answered in time.
pub(super) async fn check() -> Result<(), String> {
    within(async {
        Store::open(STORE).await?.exists("readyz").await?;
        Ok(())
    })
    .await
}

/// Waits for an operation. A store that hangs must not hold up requests.
async fn within<T>(operation: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    let operation = async { operation.await.map_err(|error| explain(&error)) };
    let timeout = async {
        sleep(WAIT_MAX).await;
        Err(format!("no answer within {} ms", WAIT_MAX.as_millis()))
    };
    future::or(operation, timeout).await
}

fn explain(error: &Error) -> String {
    match error {
        Error::NoSuchStore => format!("the host has no store {STORE:?}"),
        Error::AccessDenied => {
            format!("the manifest does not grant it: key_value_stores = [{STORE:?}] is missing")
        }
        Error::StoreTableFull => "too many stores are open".to_owned(),
        Error::Other(reason) => reason.clone(),
    }
}
