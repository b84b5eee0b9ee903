//! What a request may hold, said once: for the check, for the 422 reply and for the OpenAPI document.
//!
//! A body or a query is a struct written inside [`request!`](crate::request); its fields are types that implement
//! [`Field`]. [`parse_body`] takes the bytes and gives the struct, or a [`BodyError`] that names every fault at once, in
//! the words and the shape of FastAPI and pydantic; [`parse_query`] and [`parse_id`] do the same for the parts of a URL.
//! Nothing secret is repeated in it, where the original repeated everything.

mod body;
mod error;
mod field;
mod parameter;
mod query;
mod redaction;
mod request;
mod secret;

pub use body::{BodyError, parse_body};
pub use error::{Context, Fault, FieldError, Location};
pub use field::Field;
pub use parameter::{Count, Filter, Flag, Id, Limit, Time};
pub use query::{parse_id, parse_query};
pub use request::{FieldRule, FieldSchema, Part, Reader, Request, object_schema};
pub use secret::{NewPassword, Password, Secret, Token};
