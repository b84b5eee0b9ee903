//! Migrations as files, and the migration from one schema to another.
//!
//! [`Folder`] is `migrations/` on disk, and [`statements`] splits one of its files. The rest needs the feature `compare`:
//! [`Schema`] is what SQL builds, read back from a database in memory. [`autogenerate`] compares two of them and returns the
//! [`Scripts`] of a migration, after running both on a copy and checking the result. [`Schema::first_lack`] checks that
//! another program's database has everything that a schema has.

#[cfg(feature = "compare")]
mod compare;
mod error;
mod folder;
mod lexer;
mod statements;

#[cfg(feature = "compare")]
pub use compare::{Schema, Script, Scripts, autogenerate, losses};
pub use error::Error;
pub use folder::{Folder, Migration, name_of};
pub use statements::{Statement, statements};
