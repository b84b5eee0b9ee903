//! `GET /`, `GET /healthz` and `GET /readyz`.

use http::{HeaderValue, StatusCode, header};
use lanterne_core::config::Config;
use lanterne_core::revision;
use lanterne_database::{self as db, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::VERSION;
use crate::call::Call;
use crate::docs::{self, Operation, Tag};
use crate::error::{Error, UNAVAILABLE_RETRY_SECS};
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

/// What requests need.
#[derive(Serialize, ToSchema)]
struct ReadyReply {
    /// `ready` or `not ready`.
    #[schema(examples("ready"))]
    status: &'static str,
    /// `ok`, or what is wrong with the database.
    #[schema(examples("ok"))]
    database: &'static str,
    /// `ok`, or `not available`: then every refused attempt reads the database.
    #[schema(examples("ok"))]
    key_value: &'static str,
    /// The newest migration of the database; null if it cannot be read.
    #[schema(examples("0007"))]
    revision: Option<String>,
}

/// The value of a working service in [`ReadyReply`].
const OK: &str = "ok";

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

/// `GET /readyz`: reads from both stores. The log says more than the reply, which anybody can read.
pub(crate) async fn ready(call: &Call<'_>) -> Result<Reply, Error> {
    let (database, revision) = match newest_revision(call).await {
        Ok(Some(revision)) if revision < revision::REQUIRED => {
            ("migrations are missing", Some(format!("{revision:04}")))
        }
        Ok(Some(revision)) => (OK, Some(format!("{revision:04}"))),
        Ok(None) => ("no migration is applied", None),
        Err(error) => {
            call.host.log(&format!("GET {}: {error}", routes::READY));
            (error.unavailable().unwrap_or("not available"), None)
        }
    };
    let key_value = match call.host.check_key_value().await {
        Ok(()) => OK,
        Err(reason) => {
            call.host.log(&format!("GET {}: key-value store: {reason}", routes::READY));
            "not available"
        }
    };
    if (database, key_value) == (OK, OK) {
        return Ok(json(StatusCode::OK, &ReadyReply { status: "ready", database, key_value, revision }));
    }
    let body = ReadyReply { status: "not ready", database, key_value, revision };
    let mut reply = json(StatusCode::SERVICE_UNAVAILABLE, &body);
    reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(UNAVAILABLE_RETRY_SECS));
    Ok(reply)
}

async fn newest_revision(call: &Call<'_>) -> Result<Option<i64>, db::Error> {
    revision::newest(call.host.connect().await?.as_ref()).await
}

pub(crate) fn describe_ready(_: &Config) -> Operation {
    Operation::new("ready", Tag::Health, "Check readiness")
        .about(
            "For load balancers and monitors. Reads from the database and from the key-value store; whether the database can \
             be written to shows only when a request does it.",
        )
        .replies::<ReadyReply>(StatusCode::OK, "Requests can be served.")
        .replies::<ReadyReply>(StatusCode::SERVICE_UNAVAILABLE, "Something is not available; the log says why.")
        .fails("The configuration is invalid", Error::NotConfigured)
}
