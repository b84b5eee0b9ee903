//! `GET /` and `GET /healthz` for their reader.

use http::StatusCode;

use super::{Operation, Tag, operation};
use crate::handlers::health::{HealthReply, RootReply};

/// `GET /`
pub(crate) fn root() -> Operation {
    operation("root", Tag::Health, "Say who answers here")
        .about("The API's name and version, and where its documentation is.")
        .replies::<RootReply>(StatusCode::OK, "Name, version, documentation.")
        .may_break()
}

/// `GET /healthz`
pub(crate) fn health() -> Operation {
    operation("health", Tag::Health, "Say that it answers")
        .about(
            "For load balancers and monitors. It needs neither database nor configuration, so that a busy server is seen \
             as what it is: alive.",
        )
        .replies::<HealthReply>(StatusCode::OK, "It does answer, and this is its clock.")
}
