//! `GET /` and `GET /healthz`.

use http::StatusCode;
use lanterne_core::config::Config;
use lanterne_database::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::VERSION;
use crate::call::Call;
use crate::docs::{self, Operation, Tag};
use crate::error::Error;
use crate::reply::{Reply, json};
use crate::routes;

/// The API.
#[derive(Serialize, ToSchema)]
struct RootReply {
    /// The name of the API.
    #[schema(examples("Lanterne Rouge API"))]
    message: &'static str,
    /// The version of the API.
    #[schema(examples("v1"))]
    version: &'static str,
    /// The path of the documentation.
    #[schema(examples("/docs"))]
    docs: &'static str,
}

/// The state of the process.
#[derive(Serialize, ToSchema)]
struct HealthReply {
    /// Always `healthy`.
    #[schema(examples("healthy"))]
    status: &'static str,
    /// The server's clock, in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:00:00.123456Z"))]
    timestamp: String,
    /// The version of the server.
    #[schema(examples("1.0.0"))]
    version: &'static str,
}

/// `GET /`
pub(crate) async fn root(_: &Call<'_>) -> Result<Reply, Error> {
    Ok(json(StatusCode::OK, &RootReply { message: docs::TITLE, version: docs::API_VERSION, docs: routes::DOCS }))
}

pub(crate) fn describe_root(_: &Config) -> Operation {
    Operation::new("root", Tag::Health, "Show name and version")
        .about("Returns the name and the version of the API, and the path of its documentation.")
        .replies::<RootReply>(StatusCode::OK, "The API.")
        .may_fail()
}

/// `GET /healthz`: without the database, so that a load balancer does not drop a busy server.
pub(crate) async fn health(call: &Call<'_>) -> Result<Reply, Error> {
    Ok(reply(call.now))
}

/// Returns the reply of `GET /healthz`.
pub(crate) fn reply(now: Timestamp) -> Reply {
    json(StatusCode::OK, &HealthReply { status: "healthy", timestamp: now.to_rfc3339(), version: VERSION })
}

pub(crate) fn describe_health(_: &Config) -> Operation {
    Operation::new("health", Tag::Health, "Check liveness")
        .about(
            "For load balancers and monitors. Works without database and configuration: it is about the process alone.",
        )
        .replies::<HealthReply>(StatusCode::OK, "The process is alive.")
}
