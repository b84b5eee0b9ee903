//! The runner on a real SQLite file.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use futures_lite::future::block_on;
use lanterne_database::Connection as _;
use tempfile::TempDir;

use super::{BASE, HEAD, database, definitions, down, execute, open, rows, state, texts, up};
use crate::arguments::Target;
use crate::error::Error;
use crate::migrations::{MIGRATIONS, Migration};
use crate::runner::{prepare, stamp};

const HEAD_OF_TWO: Target = Target::Position(2);

#[test]
fn every_down_reverts_its_up() {
    let (_folder, db) = database();
    for migration in MIGRATIONS {
        let before = definitions(&db);
        let steps = |lines: Result<Vec<String>, Error>| lines.expect("it runs");
        assert_eq!(steps(up(&db, MIGRATIONS, Target::Steps(1))), [format!("Applied {migration}")]);
        let after = definitions(&db);
        assert_eq!(steps(down(&db, MIGRATIONS, Target::Steps(1))), [format!("Reverted {migration}")]);
        assert_eq!(definitions(&db), before, "{migration}");
        steps(up(&db, MIGRATIONS, Target::Steps(1)));
        assert_eq!(definitions(&db), after, "{migration}");
    }
}

#[test]
fn a_second_run_has_nothing_to_do_and_the_file_is_in_wal_mode() {
    let (folder, db) = database();
    assert_eq!(up(&db, MIGRATIONS, HEAD).expect("it runs").len(), MIGRATIONS.len());
    let again = open(folder.path());
    let lines = up(&again, MIGRATIONS, HEAD).expect("it runs");
    assert!(lines.len() == 1 && lines[0].starts_with("Nothing to do: the database is at 0"), "{lines:?}");
    let mode: String = texts(&again, "PRAGMA journal_mode").remove(0);
    assert_eq!(mode, "wal");
}

#[test]
fn nothing_runs_while_foreign_keys_are_enforced() {
    let (_folder, db) = database();
    // Inside a transaction the setting cannot be changed.
    execute(&db, "PRAGMA foreign_keys = ON; BEGIN");
    assert!(matches!(block_on(prepare(&db)), Err(Error::ForeignKeys)));
    execute(&db, "COMMIT");
    assert!(block_on(prepare(&db)).is_ok());
}

#[test]
fn steps_beyond_either_end_are_refused() {
    let (_folder, db) = database();
    let message = down(&db, MIGRATIONS, Target::Steps(1)).expect_err("nothing is below base").to_string();
    assert_eq!(message, "cannot go -1 from here: the database is at base, with no migration applied");
    up(&db, MIGRATIONS, HEAD).expect("it runs");
    assert!(matches!(up(&db, MIGRATIONS, Target::Steps(1)), Err(Error::TooFar { .. })));
}

#[test]
fn a_failing_statement_is_reported_and_changes_nothing() {
    const BROKEN: &[Migration] = &[
        Migration { revision: 1, name: "good", up: "CREATE TABLE good (a)", down: "DROP TABLE good" },
        Migration {
            revision: 2,
            name: "broken",
            up: "CREATE TABLE half (a);\nINSERT INTO good VALUES (1);\n\nINSERT INTO\n  nowhere VALUES (1);",
            down: "",
        },
    ];
    let (_folder, db) = database();
    let message = up(&db, BROKEN, HEAD_OF_TWO).expect_err("there is no table nowhere").to_string();
    assert!(
        message.starts_with("migrations/0002_broken/up.sql, line 4: database: no such table: nowhere"),
        "{message}"
    );
    assert!(message.ends_with("the statement: INSERT INTO nowhere VALUES (1)"), "{message}");
    assert_eq!(definitions(&db), ["CREATE TABLE good (a)"]);
    assert!(rows(&db, "SELECT a FROM good").is_empty());
    assert_eq!(state(&db, BROKEN).position, 1);
}

#[test]
fn one_of_two_simultaneous_migrators_has_nothing_to_do() {
    let folder = TempDir::new().expect("a temporary folder");
    let barrier = Barrier::new(8);
    let lines: Vec<String> = thread::scope(|scope| {
        let migrators: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let db = open(folder.path());
                    db.with(|db| db.busy_timeout(Duration::from_secs(60))).expect("as in a command");
                    barrier.wait();
                    up(&db, MIGRATIONS, HEAD).expect("it waits for the others")
                })
            })
            .collect();
        migrators.into_iter().flat_map(|migrator| migrator.join().expect("no panic")).collect()
    });
    let applied = lines.iter().filter(|line| line.starts_with("Applied")).count();
    assert_eq!(applied, MIGRATIONS.len(), "{lines:?}");
}

#[test]
fn an_unknown_applied_migration_is_refused() {
    let (_folder, db) = database();
    up(&db, MIGRATIONS, HEAD).expect("it runs");
    execute(&db, "INSERT INTO schema_migrations VALUES (9999, 'from_the_future', '2026-01-01 00:00:00.000000', '')");
    for outcome in [up(&db, MIGRATIONS, HEAD), down(&db, MIGRATIONS, BASE)] {
        assert!(outcome.expect_err("an unknown migration").to_string().contains("9999 from_the_future"));
    }
}

#[test]
fn a_rebuilt_table_must_keep_its_references() {
    const REBUILD: &[Migration] = &[
        Migration {
            revision: 1,
            name: "tables",
            up: "CREATE TABLE parent (id INTEGER PRIMARY KEY);
                 CREATE TABLE child (parent_id INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);
                 INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1)",
            down: "",
        },
        Migration {
            revision: 2,
            name: "rebuild",
            up: "CREATE TABLE new_parent (id INTEGER PRIMARY KEY AUTOINCREMENT);
                 INSERT INTO new_parent SELECT id FROM parent; DROP TABLE parent;
                 ALTER TABLE new_parent RENAME TO parent",
            down: "DELETE FROM parent",
        },
    ];
    let (_folder, db) = database();
    up(&db, REBUILD, HEAD_OF_TWO).expect("it runs");
    assert_eq!(rows(&db, "SELECT 1 FROM child JOIN parent ON id = parent_id").len(), 1);
    let message = down(&db, REBUILD, Target::Steps(1)).expect_err("the child would have no parent").to_string();
    assert!(message.starts_with("migrations/0002_rebuild/down.sql: leaves rows"), "{message}");
    assert_eq!(rows(&db, "SELECT 1 FROM parent").len(), 1);
}

const OLD: &[Migration] = &[
    Migration { revision: 1, name: "one", up: "CREATE TABLE one (a);", down: "DROP TABLE one;" },
    Migration { revision: 2, name: "two", up: "CREATE TABLE two (a);", down: "DROP TABLE two;" },
];

/// [`OLD`] with an edited first migration.
const EDITED: &[Migration] = &[
    Migration { revision: 1, name: "one", up: "CREATE TABLE one (a, b);", down: "DROP TABLE one;" },
    Migration { revision: 2, name: "two", up: "CREATE TABLE two (a);", down: "DROP TABLE two;" },
];

#[test]
fn a_changed_migration_blocks_upgrade_and_downgrade() {
    let (_folder, db) = database();
    up(&db, OLD, Target::Steps(1)).expect("it runs");
    for outcome in [up(&db, EDITED, HEAD_OF_TWO), down(&db, EDITED, BASE)] {
        let message = outcome.expect_err("it is another text").to_string();
        assert!(message.starts_with("migration 0001 one was changed after it was applied"), "{message}");
    }
    assert_eq!(definitions(&db), ["CREATE TABLE one (a)"]);
    // Reading the state still works.
    assert_eq!(state(&db, EDITED).position, 1);
    assert!(state(&db, EDITED).applied[0].is_changed(&EDITED[0]));
    // `stamp` accepts the new text.
    block_on(stamp(&db, EDITED, 1)).expect("it is recorded");
    assert_eq!(up(&db, EDITED, HEAD_OF_TWO).expect("it runs"), ["Applied 0002 two"]);
}

#[test]
fn a_table_without_checksums_is_completed() {
    let (_folder, db) = database();
    execute(
        &db,
        "CREATE TABLE schema_migrations (
                revision INTEGER NOT NULL PRIMARY KEY,
                name VARCHAR(255) NOT NULL,
                applied_at DATETIME NOT NULL
            );
            INSERT INTO schema_migrations VALUES (1, 'one', '2026-01-01 00:00:00.000000');
            CREATE TABLE one (a)",
    );
    assert_eq!(state(&db, OLD).position, 1);
    assert_eq!(up(&db, OLD, HEAD_OF_TWO).expect("it runs"), ["Applied 0002 two"]);
    let applied = state(&db, OLD).applied;
    let checksums: Vec<_> = applied.iter().map(|version| version.checksum.clone()).collect();
    assert_eq!(checksums, [Some(OLD[0].checksum()), Some(OLD[1].checksum())]);
    assert_eq!(applied[0].applied_at.to_sql(), "2026-01-01 00:00:00.000000");
    assert!(matches!(up(&db, EDITED, HEAD_OF_TWO), Err(Error::Changed(_))));
}

#[test]
fn stamp_changes_only_the_recorded_position() {
    let (_folder, db) = database();
    let position = || state(&db, OLD).position;
    let stamp = |to| block_on(stamp(&db, OLD, to));
    stamp(2).expect("it is believed");
    assert_eq!((position(), definitions(&db)), (2, Vec::new()));
    stamp(1).expect("it is believed");
    assert_eq!((position(), definitions(&db)), (1, Vec::new()));
    assert_eq!(up(&db, OLD, HEAD_OF_TWO).expect("it runs"), ["Applied 0002 two"]);
    stamp(0).expect("it is believed");
    assert_eq!((position(), definitions(&db)), (0, vec!["CREATE TABLE two (a)".to_owned()]));
    execute(&db, "INSERT INTO schema_migrations VALUES (1, 'from_the_future', '2026-01-01 00:00:00.000000', '')");
    assert!(matches!(stamp(0), Err(Error::Unknown(_))));
}

#[test]
fn a_lock_of_another_program_is_reported_as_busy() {
    let (folder, holder) = database();
    let other = open(folder.path());
    execute(&holder, "BEGIN IMMEDIATE");
    let error = block_on(other.query("BEGIN IMMEDIATE", vec![])).expect_err("it is locked");
    assert!(matches!(Error::from(error), Error::Busy));
    let error = block_on(other.query("SELECT * FROM nowhere", vec![])).expect_err("it is not there");
    assert_eq!(Error::from(error).to_string(), "database: no such table: nowhere");
}
