//! The migrations embedded in this program.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A migration: one folder in `migrations/`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Migration {
    /// Its number, from 1, without gaps: also the number of applied migrations after it.
    pub revision: usize,
    /// Lower case words joined by `_`.
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
    /// Returns the name of its folder.
    pub(crate) fn folder(&self) -> String {
        format!("{:04}_{}", self.revision, self.name)
    }

    /// Returns the SHA-256 of its text in hex, as `cat up.sql down.sql | sha256sum` prints it. Line ends of `\r\n` count
    /// as `\n`, since Git may write them on checkout.
    pub(crate) fn checksum(&self) -> String {
        let text = format!("{}{}", self.up, self.down).replace("\r\n", "\n");
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// All migrations, by number.
pub(crate) const MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

#[cfg(test)]
mod tests {
    use lanterne_schema::statements;

    use super::{MIGRATIONS, Migration};

    #[test]
    fn a_checksum_covers_both_files_in_order() {
        // printf 'A;\nB;\n' | sha256sum
        let expected = "6184b6bafda3bd09bb422c2fad6941c35383f59353765a0e3b2c2e335faf79c5";
        let sum = |up, down| Migration { revision: 1, name: "x", up, down }.checksum();
        assert_eq!(sum("A;\n", "B;\n"), expected);
        assert_eq!(sum("A;\r\n", "B;\r\n"), expected);
        assert_ne!(sum("A;\n", "B; \n"), expected);
    }

    #[test]
    fn no_migration_controls_its_transaction() {
        const REFUSED: [&str; 10] =
            ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA", "VACUUM", "ATTACH", "DETACH"];
        for migration in MIGRATIONS {
            for statement in [migration.up, migration.down].into_iter().flat_map(statements) {
                let first = statement.text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
                assert!(!REFUSED.contains(&first.to_ascii_uppercase().as_str()), "{migration}: {}", statement.text);
            }
        }
    }
}
