//! Random schemas, reproducible by their seed.

pub(crate) mod numbers;
pub(crate) mod schema;
pub(crate) mod table;
pub(crate) mod wild;
