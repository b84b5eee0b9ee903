//! The migrations that this program carries.

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};

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

    /// SHA-256 of its text in hex: what `cat up.sql down.sql | sha256sum` prints. A checkout that writes `\r\n` at the
    /// end of lines has the same text.
    pub(crate) fn checksum(&self) -> String {
        let text = format!("{}{}", self.up, self.down).replace("\r\n", "\n");
        Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes everything");
            hex
        })
    }
}

/// All of them, by number.
pub(crate) const MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, Migration};
    use crate::statements::statements;

    #[test]
    fn a_checksum_is_that_of_both_files_one_after_the_other() {
        // printf 'A;\nB;\n' | sha256sum
        let expected = "6184b6bafda3bd09bb422c2fad6941c35383f59353765a0e3b2c2e335faf79c5";
        let sum = |up, down| Migration { revision: 1, name: "x", up, down }.checksum();
        assert_eq!(sum("A;\n", "B;\n"), expected);
        assert_eq!(sum("A;\r\n", "B;\r\n"), expected);
        assert_ne!(sum("A;\n", "B; \n"), expected);
    }

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
