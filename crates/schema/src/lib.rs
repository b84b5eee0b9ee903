//! The schema as it is, the schema as it should be, and the migration from one to the other.
//!
//! In the order of the work: [`Folder`] is `migrations/` on disk. [`Schema`] is what SQL builds, read back from a
//! database in memory. [`autogenerate`] compares two of them and gives the [`Scripts`] of a migration, after it has
//! run both on a copy and seen that they lead where they should. [`Schema::first_lack`] asks less: whether a database of
//! somebody else's has what a schema has.
//!
//! **What is compared.** SQLite keeps the text of every CREATE statement, and the text is the only place that has
//! everything: CHECKs, COLLATE, ON CONFLICT, AUTOINCREMENT and generated columns are in no pragma. So `tokens` takes
//! texts apart, and two of them are equal if their tokens are, whatever the spaces, comments, quotes and case of
//! names; `definition` splits a CREATE TABLE into columns and constraints. What decides about rows (NOT NULL, the
//! default, whether a column is generated) comes from `pragma table_xinfo`, which also has the last word on whether
//! the splitting was right. The order of columns counts, since a row has one; the order of constraints does not.
//!
//! **What is not guessed.** A column that is gone and one of the same type that is new may be a rename, or not: the
//! script drops and adds, and a comment in it says how to write the rename instead. A value that rows need and that
//! nothing says is not made up: the script stops there, unless the table is empty, and a comment says where to write it.

mod compare;
mod error;
mod folder;
mod tokens;

pub use compare::{Schema, Script, Scripts, autogenerate};
pub use error::Error;
pub use folder::{Folder, Migration, name_of};
