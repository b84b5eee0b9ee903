//! The printed SQL leads to the same database as the runner.

use futures_lite::future::block_on;

use lanterne_database::SqliteFile;

use super::{BASE, HEAD, database, definitions, execute, rows, state, texts, up};
use crate::arguments::{Direction, Target};
use crate::migrations::{MIGRATIONS, Migration};
use crate::script::script;

const TWO: &[Migration] = &[
    Migration {
        revision: 1,
        name: "one",
        up: "CREATE TABLE one (a);\nCREATE TRIGGER t AFTER INSERT ON one BEGIN SELECT 1; END;\n",
        down: "DROP TABLE one",
    },
    Migration {
        revision: 2,
        name: "two",
        up: "CREATE TABLE two (a) -- no semicolon",
        down: "DROP TABLE two; -- done\n",
    },
];

fn upgrade(db: &SqliteFile, migrations: &[Migration], target: Target) -> String {
    block_on(script(db, migrations, Direction::Up, target)).expect("it is printed")
}

fn downgrade(db: &SqliteFile, migrations: &[Migration], target: Target) -> String {
    block_on(script(db, migrations, Direction::Down, target)).expect("it is printed")
}

/// The schema, the journal mode, and the rows of `schema_migrations` but for their times.
fn everything(db: &SqliteFile) -> Vec<String> {
    let mode = texts(db, "PRAGMA journal_mode").remove(0);
    let rows = texts(db, "SELECT revision || ' ' || name || ' ' || checksum FROM schema_migrations ORDER BY 1");
    [mode].into_iter().chain(rows).chain(definitions(db)).collect()
}

#[test]
fn the_printed_upgrade_equals_the_upgrade() {
    for migrations in [MIGRATIONS, TWO] {
        let head = Target::Position(migrations.len());
        let ((_one, printed), (_other, run)) = (database(), database());
        let script = upgrade(&printed, migrations, head);
        assert_eq!(definitions(&printed), Vec::<String>::new());
        execute(&printed, &script);
        up(&run, migrations, head).expect("it runs");
        assert_eq!(everything(&printed), everything(&run), "{script}");
        // The migrator can read the times that the script has written.
        assert!(up(&printed, migrations, head).expect("it runs")[0].starts_with("Nothing to do"));
        let nothing = upgrade(&printed, migrations, head);
        assert!(nothing.starts_with("-- Nothing to do: the database is at 000") && nothing.lines().count() == 1);
    }
}

#[test]
fn the_printed_downgrade_equals_the_downgrade() {
    let (_folder, db) = database();
    up(&db, TWO, Target::Position(2)).expect("it runs");
    let script = downgrade(&db, TWO, Target::Steps(1));
    assert_eq!(state(&db, TWO).position, 2);
    execute(&db, &script);
    assert_eq!(state(&db, TWO).position, 1);
    execute(&db, &downgrade(&db, TWO, BASE));
    assert_eq!(everything(&db), ["wal"]);
}

/// A migration whose down.sql removes the rows that others refer to.
const ORPHANS: &[Migration] = &[
    Migration {
        revision: 1,
        name: "tables",
        up: "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (parent_id REFERENCES parent);
             INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1)",
        down: "",
    },
    Migration { revision: 2, name: "parents", up: "DELETE FROM parent WHERE id = 2", down: "DELETE FROM parent" },
];

#[test]
fn the_script_rolls_back_what_leaves_rows_that_refer_to_missing_ones() {
    let (_folder, db) = database();
    up(&db, ORPHANS, Target::Position(1)).expect("it runs");
    // As in a database of the Python server, which does not enforce references.
    execute(&db, "PRAGMA foreign_keys = OFF; INSERT INTO child VALUES (99)");
    execute(&db, &upgrade(&db, ORPHANS, Target::Position(2)));
    assert_eq!(state(&db, ORPHANS).position, 2);
    let script = downgrade(&db, ORPHANS, Target::Steps(1));
    for _ in 0..2 {
        let error =
            db.with(|connection| connection.execute_batch(&script)).expect_err("the child would have no parent");
        assert!(error.to_string().contains("rows would refer to missing rows"), "{error}");
        assert!(db.with(|connection| connection.is_autocommit()));
        assert_eq!((rows(&db, "SELECT 1 FROM parent").len(), state(&db, ORPHANS).position), (1, 2));
    }
}

#[test]
fn a_database_of_the_python_server_is_adopted_by_the_script() {
    let (_folder, db) = database();
    execute(&db, MIGRATIONS[0].up);
    execute(
        &db,
        "CREATE TABLE alembic_version (version_num VARCHAR(32)); INSERT INTO alembic_version VALUES ('7912bf623dee')",
    );
    let script = downgrade(&db, MIGRATIONS, BASE);
    execute(&db, &script);
    assert_eq!(everything(&db), ["wal"]);
    up(&db, MIGRATIONS, HEAD).expect("it runs");
}

#[test]
fn the_script_adds_checksums_to_an_old_table() {
    let (_folder, db) = database();
    execute(
        &db,
        "CREATE TABLE schema_migrations (revision INTEGER NOT NULL PRIMARY KEY, name TEXT, applied_at TEXT);
            INSERT INTO schema_migrations VALUES (1, 'one', '2026-01-01 00:00:00.000000'); CREATE TABLE one (a)",
    );
    execute(&db, &upgrade(&db, TWO, Target::Steps(1)));
    let applied = state(&db, TWO).applied;
    let checksums: Vec<_> = applied.iter().map(|version| version.checksum.clone()).collect();
    assert_eq!(checksums, [Some(TWO[0].checksum()), Some(TWO[1].checksum())]);
}
