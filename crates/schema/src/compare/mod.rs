//! Compares two schemas and writes the migration between them.

mod definition;
pub(crate) mod names;
pub(crate) mod schema;

mod plan;
mod table_change;

mod lack;

mod autogenerate;
mod rebuild;
mod script;
mod writing;

pub use autogenerate::{Scripts, autogenerate};
pub use schema::Schema;
pub use script::Script;
