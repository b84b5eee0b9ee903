//! Request input: from the bytes of a body, a query or a path to typed fields, or to the list of faults of a 422.
//!
//! A body or a query is a struct declared with [`request!`]; the types of its fields implement [`Field`],
//! which states their rules once: for the check, for the 422 in the format of FastAPI and pydantic, and for the OpenAPI
//! document. Unlike the Python server, a 422 does not repeat secrets.

mod fault;
mod field;
mod parse;
mod redaction;
mod request;

pub(crate) use fault::{FieldError, refused_password};
pub(crate) use field::{ActionName, Field, Flag, Id, Limit, Offset, OneTimeToken, Password, Search, Time, Token};
pub(crate) use parse::{parse_body, parse_id, parse_query};
pub(crate) use request::{FieldReader, FieldRule, FieldSchema, Part, Request, object_schema, request};

#[cfg(test)]
mod tests;
