//! The runner on a real SQLite file.

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Barrier, Mutex};
use std::thread;

use futures_lite::future::block_on;
use lanterne_core::db::{self, Connection, Row, Value};
use rusqlite::types::Value as Sqlite;
use tempfile::TempDir;

use super::{Error, downgrade, upgrade};
use crate::arguments::Target;
use crate::migrations::{MIGRATIONS, Migration};
use crate::versions;

const HEAD: Target = Target::Position(MIGRATIONS.len());
const BASE: Target = Target::Position(0);

/// A connection as a host gives it, without the host.
struct File(Mutex<rusqlite::Connection>);

impl File {
    fn open(folder: &Path) -> Self {
        let connection = rusqlite::Connection::open(folder.join("test.db")).expect("the file opens");
        connection.busy_timeout(std::time::Duration::ZERO).expect("a new connection takes settings");
        Self(Mutex::new(connection))
    }

    fn run(&self, sql: &str) {
        self.0.lock().expect("no test panicked with it").execute_batch(sql).expect("the test's own SQL");
    }

    fn query_now(&self, sql: &str, params: Vec<Value>) -> rusqlite::Result<Vec<Row>> {
        let connection = self.0.lock().expect("no test panicked with it");
        let mut statement = connection.prepare(sql)?;
        let columns = statement.column_count();
        let params = params.into_iter().map(|value| match value {
            Value::Null => Sqlite::Null,
            Value::Integer(integer) => Sqlite::Integer(integer),
            Value::Real(real) => Sqlite::Real(real),
            Value::Text(text) => Sqlite::Text(text),
            Value::Blob(bytes) => Sqlite::Blob(bytes),
        });
        let rows = statement.query_map(rusqlite::params_from_iter(params), |row| {
            let column = |index| {
                Ok(match row.get(index)? {
                    Sqlite::Null => Value::Null,
                    Sqlite::Integer(integer) => Value::Integer(integer),
                    Sqlite::Real(real) => Value::Real(real),
                    Sqlite::Text(text) => Value::Text(text),
                    Sqlite::Blob(bytes) => Value::Blob(bytes),
                })
            };
            (0..columns).map(column).collect::<rusqlite::Result<Vec<_>>>().map(Row::new)
        })?;
        rows.collect()
    }

    /// Every table and index but those of this program and of SQLite.
    fn schema(&self) -> Vec<String> {
        let rows = self.query_now(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> 'schema_migrations' ORDER BY sql",
            vec![],
        );
        rows.expect("a schema").iter().map(|row| row.get(0).expect("text")).collect()
    }
}

impl Connection for File {
    async fn query(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, db::Error> {
        self.query_now(sql, params).map_err(|error| db::Error::Host(error.to_string()))
    }
}

/// A new database and the folder that goes away with it.
fn database() -> (TempDir, File) {
    let folder = TempDir::new().expect("a temporary folder");
    let file = File::open(folder.path());
    (folder, file)
}

fn go(
    db: &File,
    migrations: &[Migration],
    way: impl AsyncFn(&File, &[Migration], &RefCell<Vec<String>>) -> Result<(), Error>,
) -> Result<Vec<String>, Error> {
    let lines = RefCell::new(Vec::new());
    block_on(way(db, migrations, &lines))?;
    Ok(lines.into_inner())
}

fn up(db: &File, migrations: &[Migration], target: Target) -> Result<Vec<String>, Error> {
    go(db, migrations, async |db, migrations, lines| {
        upgrade(db, migrations, target, |line| lines.borrow_mut().push(line)).await
    })
}

fn down(db: &File, migrations: &[Migration], target: Target) -> Result<Vec<String>, Error> {
    go(db, migrations, async |db, migrations, lines| {
        downgrade(db, migrations, target, |line| lines.borrow_mut().push(line)).await
    })
}

#[test]
fn every_migration_is_taken_back_by_its_own_down() {
    let (_folder, db) = database();
    for migration in MIGRATIONS {
        let before = db.schema();
        let steps = |lines: Result<Vec<String>, Error>| lines.expect("it runs");
        assert_eq!(steps(up(&db, MIGRATIONS, Target::Steps(1))), [format!("Applied {migration}")]);
        let after = db.schema();
        assert_eq!(steps(down(&db, MIGRATIONS, Target::Steps(1))), [format!("Took back {migration}")]);
        assert_eq!(db.schema(), before, "{migration}");
        steps(up(&db, MIGRATIONS, Target::Steps(1)));
        assert_eq!(db.schema(), after, "{migration}");
    }
}

#[test]
fn a_second_run_has_nothing_to_do_and_the_file_is_in_wal_mode() {
    let (folder, db) = database();
    assert_eq!(up(&db, MIGRATIONS, HEAD).expect("it runs").len(), MIGRATIONS.len());
    let again = File::open(folder.path());
    let lines = up(&again, MIGRATIONS, HEAD).expect("it runs");
    assert!(lines.len() == 1 && lines[0].starts_with("Nothing to do: the database is at 0"), "{lines:?}");
    let mode: String = again.query_now("PRAGMA journal_mode", vec![]).expect("a mode")[0].get(0).expect("text");
    assert_eq!(mode, "wal");
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
fn a_failing_statement_leaves_everything_as_it_was_and_is_named() {
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
    assert_eq!(db.schema(), ["CREATE TABLE good (a)"]);
    assert!(db.query_now("SELECT a FROM good", vec![]).is_ok_and(|rows| rows.is_empty()));
    assert_eq!(block_on(versions::position(&db, BROKEN)).ok(), Some(1));
}

const HEAD_OF_TWO: Target = Target::Position(2);

#[test]
fn of_two_migrators_at_once_one_has_nothing_to_do() {
    let folder = TempDir::new().expect("a temporary folder");
    let barrier = Barrier::new(8);
    let lines: Vec<String> = thread::scope(|scope| {
        let migrators: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let db = File::open(folder.path());
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
fn a_database_of_the_python_server_is_taken_as_it_is() {
    let (_folder, db) = database();
    db.run(MIGRATIONS[0].up);
    db.run("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)");
    db.run("INSERT INTO alembic_version VALUES ('7912bf623dee')");
    assert_eq!(block_on(versions::position(&db, MIGRATIONS)).ok(), Some(1));
    assert!(!up(&db, MIGRATIONS, HEAD).expect("it runs").contains(&format!("Applied {}", MIGRATIONS[0])));
    down(&db, MIGRATIONS, BASE).expect("it runs");
    assert_eq!(db.schema(), Vec::<String>::new());
    assert_eq!(up(&db, MIGRATIONS, HEAD).expect("it runs").len(), MIGRATIONS.len());
}

#[test]
fn a_migration_that_this_program_does_not_have_stops_it() {
    let (_folder, db) = database();
    up(&db, MIGRATIONS, HEAD).expect("it runs");
    db.run("INSERT INTO schema_migrations VALUES (9999, 'from_the_future', '2026-01-01 00:00:00.000000')");
    for outcome in [up(&db, MIGRATIONS, HEAD), down(&db, MIGRATIONS, BASE)] {
        assert!(outcome.expect_err("an unknown migration").to_string().contains("9999 from_the_future"));
    }
}

#[test]
fn a_table_can_be_rebuilt_and_references_must_hold_afterwards() {
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
    assert_eq!(db.query_now("SELECT 1 FROM child JOIN parent ON id = parent_id", vec![]).expect("rows").len(), 1);
    let message = down(&db, REBUILD, Target::Steps(1)).expect_err("the child would have no parent").to_string();
    assert!(message.starts_with("migrations/0002_rebuild/down.sql: it would leave rows"), "{message}");
    assert_eq!(db.query_now("SELECT 1 FROM parent", vec![]).expect("rows").len(), 1);
}
