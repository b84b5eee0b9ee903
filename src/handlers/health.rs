//! `GET /` and `GET /healthz`: who is there, and that it answers.

use http::StatusCode;
use lanterne_core::error::Error;
use lanterne_database::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::reply::{Reply, json};
use crate::{openapi, routes};

/// Who answers here, and where to read more.
#[derive(Serialize, ToSchema)]
pub(crate) struct RootReply {
    /// The API's name.
    #[schema(examples("Lanterne Rouge API"))]
    message: &'static str,
    /// The version of the contract between client and server.
    #[schema(examples("v1"))]
    version: &'static str,
    /// The path of the interactive documentation.
    #[schema(examples("/docs"))]
    docs: &'static str,
}

/// That the process answers, and when.
#[derive(Serialize, ToSchema)]
pub(crate) struct HealthReply {
    /// Always the same word: a server that is not healthy does not answer.
    #[schema(examples("healthy"))]
    status: &'static str,
    /// The server's clock, in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:00:00.123456Z"))]
    timestamp: String,
    /// The server's version.
    #[schema(examples("1.0.0"))]
    version: &'static str,
}

/// `GET /`
pub(crate) async fn root(_: &Call<'_>) -> Result<Reply, Error> {
    let root = RootReply { message: openapi::TITLE, version: openapi::VERSION, docs: routes::DOCS };
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
