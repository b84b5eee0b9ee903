//! The state the host keeps for components, in SQLite files that Spin reads too.

pub(crate) mod key_value;
pub(crate) mod sqlite;
