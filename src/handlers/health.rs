//! `GET /` and `GET /healthz`: who is there, and that it answers.

use http::StatusCode;
use lanterne_core::error::Error;
use lanterne_core::timestamp::Timestamp;
use serde::Serialize;

use crate::call::Call;
use crate::reply::{Reply, json};

/// Who answers here, and where to read more.
#[derive(Serialize)]
struct RootReply {
    message: &'static str,
    version: &'static str,
    docs: &'static str,
}

/// That the process answers, and when.
#[derive(Serialize)]
struct HealthReply {
    status: &'static str,
    timestamp: String,
    version: &'static str,
}

/// `GET /`
pub(crate) async fn root(_: &Call<'_>) -> Result<Reply, Error> {
    let root = RootReply { message: "Lanterne Rouge API", version: "v1", docs: "/docs" };
    Ok(json(StatusCode::OK, &root))
}

/// `GET /healthz`: needs no database, so that a load balancer sees a server that is busy as what it is, alive.
pub(crate) async fn health(call: &Call<'_>) -> Result<Reply, Error> {
    Ok(reply(call.now))
}

/// The reply of `GET /healthz`, which needs no configuration either.
pub(crate) fn reply(now: Timestamp) -> Reply {
    json(StatusCode::OK, &HealthReply { status: "healthy", timestamp: now.to_json(), version: "1.0.0" })
}
