//! Random schemas, the same for the same seed.

pub(crate) mod numbers;
pub(crate) mod schema;
pub(crate) mod table;
