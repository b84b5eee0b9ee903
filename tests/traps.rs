//! A component that traps or exceeds its limits fails one request with a line in the log, and the server continues.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::{Database, Project, TestApp};

fn faulty() -> TestApp {
    faulty_in(Project::migrated())
}

fn faulty_in(project: Project) -> TestApp {
    TestApp::of(project.edit("spin.toml", "release/api.wasm", "release/faulty.wasm"))
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn a_trap_is_500_and_logged_and_the_server_continues() {
    let app = faulty();
    let paths = ["/panic", "/memory", "/database"];
    for path in paths {
        app.get(path).send().expect_detail(500, "Internal Server Error");
        assert_eq!(app.get("/").send().expect_status(200).text(), "fine");
    }
    let log = app.into_log();
    for path in paths {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&format!(": GET {path}: "))).collect();
        assert_eq!(lines.len(), 1, "one line each: {log}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn a_trap_does_not_affect_other_requests() {
    let app = faulty();
    std::thread::scope(|scope| {
        for number in 0..32 {
            let app = &app;
            scope.spawn(move || match number % 2 {
                0 => app.get("/panic").send().expect_status(500),
                _ => app.get("/").send().expect_status(200),
            });
        }
    });
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn a_trap_rolls_back_its_open_transaction() {
    let app = faulty();
    for _ in 0..3 {
        // If the transaction were still open, the next request would fail on its lock instead of by its panic.
        app.get("/database").send().expect_status(500);
    }
    app.db().execute_all("CREATE TABLE still_writable (id INTEGER)");
    let log = app.into_log();
    assert!(!log.contains("database is locked"), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn a_component_cannot_attach_other_files() {
    let app = faulty();
    for path in ["/attach", "/attach-expression", "/vacuum"] {
        let text = app.get(path).send().expect_status(200).text();
        assert!(text.contains("authoriz"), "{path}: {text}");
    }
    assert!(!app.project().path("elsewhere.db").exists());
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn oversized_values_and_rows_are_errors() {
    let app = faulty();
    let text = app.get("/blob").send().expect_status(200).text();
    assert!(text.contains("too big"), "{text}");
    let text = app.get("/blobs").send().expect_status(200).text();
    assert!(text.contains("exceeds limit"), "{text}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn a_reader_waiting_for_another_process_does_not_block_requests() {
    let project = Project::new().flag("--no-migrate");
    // Without a write-ahead log a writer blocks readers.
    let other = Database::create(&project.path("state/sqlite_db.db"));
    other.execute_all("CREATE TABLE users (id INTEGER)");
    let app = faulty_in(project);
    other.execute_all("BEGIN EXCLUSIVE");
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(|| app.get("/users").send().text())).collect();
        // More requests than there are threads for components.
        for _ in 0..8 {
            app.get("/").send().expect_status(200);
        }
        assert!(readers.iter().all(|reader| !reader.is_finished()), "the database is still locked");
        other.execute_all("COMMIT");
        for reader in readers {
            assert_eq!(reader.join().expect("a reply"), "1 rows");
        }
    });
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn key_value_data_is_stored_in_spins_table() {
    let app = faulty();
    let text = app.get("/key-value").send().expect_status(200).text();
    assert_eq!(text, r#"true false Some(Ok("second")) ["kept"] Some(Error::AccessDenied)"#);
    let file = Database::open(&app.project().path("state/sqlite_key_value.db"));
    let rows = file.rows("SELECT store, key, CAST(value AS TEXT) FROM spin_key_value", []);
    assert_eq!(rows, json!([["default", "kept", "second"]]));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn state_files_are_private() {
    let app = faulty_in(Project::new());
    app.get("/key-value").send().expect_status(200);
    let mode = |name: &str| {
        let metadata = app.project().path(name).metadata().unwrap_or_else(|error| panic!("{name}: {error}"));
        format!("{:o}", metadata.permissions().mode() & 0o777)
    };
    assert_eq!(mode("state"), "700");
    for name in ["sqlite_db.db", "sqlite_key_value.db", "sqlite_key_value.db-wal", "sqlite_key_value.db-shm"] {
        assert_eq!(mode(&format!("state/{name}")), "600", "{name}");
    }
}
