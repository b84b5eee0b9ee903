//! A pool of database connections, kept by the instance between requests.
//!
//! On the host every `open` is a new connection, which costs more than most statements. An instance may serve several
//! requests at once, each with a connection of its own: on a shared one, their transactions would mix.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lanterne_database::{self as db, BoxFuture, Connection, Driver, Place, Reconnecting, Row, Value};
use spin_sdk::sqlite;
use spin_sdk::time::sleep;

/// The number of requests that an instance serves at once on Spin.
const IDLE_MAX: usize = 16;
/// How long a writer waits for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection to a server is kept unused: half as long as the server keeps it.
const KEPT_MAX: Duration = Duration::from_secs(5);

lanterne_database::host_values!(sqlite::Value);

static POOL: Mutex<Pool> = Mutex::new(Pool { place: Place::Unknown, idle: Vec::new() });

struct Pool {
    place: Place,
    /// The connections, and since when they are unused.
    idle: Vec<(sqlite::Connection, Instant)>,
}

/// A connection of one request. Dropping it returns it to the pool.
pub(crate) struct Pooled(Reconnecting<Host>);

/// Returns an idle connection, or opens one.
///
/// # Errors
/// The host refuses to open the database.
pub(crate) async fn check_out() -> Result<Pooled, db::Error> {
    let (place, idle) = {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.place == Place::Server {
            pool.idle.retain(|(_, since)| since.elapsed() < KEPT_MAX);
        }
        (pool.place, pool.idle.pop())
    };
    let connection = Reconnecting::new(Host, place, BUSY_TIMEOUT);
    Ok(Pooled(match idle {
        Some((idle, _)) => connection.with_idle(idle),
        None => {
            connection.open().await?;
            connection
        }
    }))
}

impl Connection for Pooled {
    fn query<'a>(&'a self, sql: &'a str, params: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, db::Error>> {
        self.0.query(sql, params)
    }

    fn is_file(&self) -> bool {
        self.0.is_file()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // A cancelled request leaves its transaction open: closing the connection rolls it back.
        let idle = self.0.take_idle();
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.place() != Place::Unknown {
            pool.place = self.0.place();
        }
        if let Some(connection) = idle
            && pool.idle.len() < IDLE_MAX
        {
            pool.idle.push((connection, Instant::now()));
        }
    }
}

/// The host's asynchronous functions.
struct Host;

impl Driver for Host {
    type Connection = sqlite::Connection;

    fn open(&self) -> BoxFuture<'_, Result<sqlite::Connection, db::Error>> {
        Box::pin(async { sqlite::Connection::open_default().await.map_err(host_error) })
    }

    fn execute<'a>(
        &'a self,
        connection: &'a sqlite::Connection,
        sql: &'a str,
        params: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Row>, db::Error>> {
        Box::pin(async move {
            let result = connection.execute(sql, params.into_iter().map(to_host)).await.map_err(host_error)?;
            let rows = result.collect().await.map_err(host_error)?;
            Ok(rows.into_iter().map(|row| Row::new(row.values.into_iter().map(from_host).collect())).collect())
        })
    }

    fn pause(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(sleep(duration))
    }
}

fn host_error(error: sqlite::Error) -> db::Error {
    db::Error::Host(error.to_string())
}
