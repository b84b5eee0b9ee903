//! The printed SQL leads to the same database as the runner.

use futures_lite::future::block_on;

use super::{BASE, File, HEAD, database, up};
use crate::arguments::Target;
use crate::migrations::{MIGRATIONS, Migration};
use crate::script::{downgrade, upgrade};
use crate::versions;

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

/// The schema, the journal mode, and the rows of `schema_migrations` but for their times.
fn everything(db: &File) -> Vec<String> {
    let mode = db.query_now("PRAGMA journal_mode", vec![]).expect("a mode")[0].get(0).expect("text");
    let applied = block_on(versions::applied(db)).expect("rows").into_iter();
    let rows = applied.map(|version| format!("{} {} {:?}", version.revision, version.name, version.checksum));
    [mode].into_iter().chain(rows).chain(db.schema()).collect()
}

#[test]
fn the_printed_upgrade_does_what_the_upgrade_does() {
    for migrations in [MIGRATIONS, TWO] {
        let head = Target::Position(migrations.len());
        let ((_one, printed), (_other, run)) = (database(), database());
        let script = block_on(upgrade(&printed, migrations, head)).expect("it is printed");
        assert_eq!(printed.schema(), Vec::<String>::new());
        printed.run(&script);
        up(&run, migrations, head).expect("it runs");
        assert_eq!(everything(&printed), everything(&run), "{script}");
        // The times are times, too.
        assert!(up(&printed, migrations, head).expect("it runs")[0].starts_with("Nothing to do"));
        let nothing = block_on(upgrade(&printed, migrations, head)).expect("it is printed");
        assert!(nothing.starts_with("-- Nothing to do: the database is at 000") && nothing.lines().count() == 1);
    }
}

#[test]
fn the_printed_downgrade_leads_back() {
    let (_folder, db) = database();
    up(&db, TWO, Target::Position(2)).expect("it runs");
    let script = block_on(downgrade(&db, TWO, Target::Steps(1))).expect("it is printed");
    assert_eq!(block_on(versions::position(&db, TWO)).ok(), Some(2));
    db.run(&script);
    assert_eq!(block_on(versions::position(&db, TWO)).ok(), Some(1));
    db.run(&block_on(downgrade(&db, TWO, BASE)).expect("it is printed"));
    assert_eq!(everything(&db), ["wal"]);
}

#[test]
fn a_database_of_the_python_server_is_adopted_by_the_script() {
    let (_folder, db) = database();
    db.run(MIGRATIONS[0].up);
    db.run(
        "CREATE TABLE alembic_version (version_num VARCHAR(32)); INSERT INTO alembic_version VALUES ('7912bf623dee')",
    );
    let script = block_on(downgrade(&db, MIGRATIONS, BASE)).expect("it is printed");
    db.run(&script);
    assert_eq!(everything(&db), ["wal"]);
    up(&db, MIGRATIONS, HEAD).expect("it runs");
}

#[test]
fn the_script_gives_an_old_table_its_checksums() {
    let (_folder, db) = database();
    db.run(
        "CREATE TABLE schema_migrations (revision INTEGER NOT NULL PRIMARY KEY, name TEXT, applied_at TEXT);
            INSERT INTO schema_migrations VALUES (1, 'one', '2026-01-01 00:00:00.000000'); CREATE TABLE one (a)",
    );
    db.run(&block_on(upgrade(&db, TWO, Target::Steps(1))).expect("it is printed"));
    let applied = block_on(versions::applied(&db)).expect("rows");
    let checksums: Vec<_> = applied.iter().map(|version| version.checksum.clone()).collect();
    assert_eq!(checksums, [Some(TWO[0].checksum()), Some(TWO[1].checksum())]);
}
