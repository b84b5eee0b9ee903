//! `GET /` and `GET /healthz`: who is there, and that it answers.

use http::StatusCode;
use lanterne_core::error::Error;
use lanterne_core::timestamp::Timestamp;
use serde_json::json;

use crate::call::Call;
use crate::reply::{Reply, json};

/// `GET /`
pub(crate) async fn root(_: &Call<'_>) -> Result<Reply, Error> {
    Ok(json(StatusCode::OK, &json!({"message": "Lanterne Rouge API", "version": "v1", "docs": "/docs"})))
}

/// `GET /healthz`: needs no database, so that a load balancer sees a server that is busy as what it is, alive.
pub(crate) async fn health(call: &Call<'_>) -> Result<Reply, Error> {
    Ok(reply(call.now))
}

/// The reply of `GET /healthz`, which needs no configuration either.
pub(crate) fn reply(now: Timestamp) -> Reply {
    json(StatusCode::OK, &json!({"status": "healthy", "timestamp": now.to_json(), "version": "1.0.0"}))
}
