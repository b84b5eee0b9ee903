//! Delivers messages after the reply to the request that wrote them, where the host does not run the command `deliver` itself
//! (`mail_after_reply`).

use lanterne_core::mail::{self, Courier, Post};
use lanterne_database::{BoxFuture, Timestamp};

use crate::app::Host;

/// The number of failed attempts after which the rest is left to the command `deliver`.
const FAILURES_MAX: usize = 1;

/// The number of attempts after one reply: the instance is busy with them.
const ATTEMPTS_MAX: usize = 10;

/// An extension of a reply after which messages have to be delivered.
#[derive(Clone, Copy, Debug)]
pub struct Undelivered;

/// Delivers the messages that are due. Failures are logged, and attempted again by the command `deliver`.
pub async fn deliver(host: &dyn Host) {
    if let Err(cause) = try_deliver(host).await {
        host.log(&format!("messages are not delivered: {cause:#}"));
    }
}

async fn try_deliver(host: &dyn Host) -> anyhow::Result<()> {
    let app = host.app().await.map_err(anyhow::Error::msg)?;
    let db = host.connect().await?;
    mail::deliver(db.as_ref(), &app.config.mail, &HostCourier(host), ATTEMPTS_MAX, FAILURES_MAX).await?;
    Ok(())
}

struct HostCourier<'a>(&'a dyn Host);

impl Courier for HostCourier<'_> {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn send<'a>(&'a self, post: &'a Post) -> BoxFuture<'a, Result<u16, String>> {
        self.0.send(post)
    }

    fn log(&self, line: &str) {
        self.0.log(line);
    }

    fn print(&self, message: &str) {
        self.0.log_info(message);
    }
}
