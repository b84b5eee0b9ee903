//! The migrations that this program carries.

use std::fmt;

/// One change of the schema: a folder in `migrations/`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Migration {
    /// Its number, from 1, without gaps: also how many migrations are applied once it is.
    pub revision: usize,
    /// What it does, in words joined by `_`.
    pub name: &'static str,
    /// The text of `up.sql`.
    pub up: &'static str,
    /// The text of `down.sql`.
    pub down: &'static str,
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04} {}", self.revision, self.name)
    }
}

impl Migration {
    /// The name of its folder.
    pub(crate) fn folder(&self) -> String {
        format!("{:04}_{}", self.revision, self.name)
    }
}

/// All of them, by number.
pub(crate) const MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;
    use crate::statements::statements;

    #[test]
    fn no_migration_meddles_with_the_transaction_it_runs_in() {
        const REFUSED: [&str; 10] =
            ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA", "VACUUM", "ATTACH", "DETACH"];
        for migration in MIGRATIONS {
            for statement in statements(migration.up).chain(statements(migration.down)) {
                let first = statement.text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
                assert!(!REFUSED.contains(&first.to_ascii_uppercase().as_str()), "{migration}: {}", statement.text);
            }
        }
    }
}
