//! Faults of the storage: what is answered meanwhile, and that service resumes when they are over.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::time::Duration;

use serde_json::json;

use crate::adoption::python_database;
use crate::backup::{EMAILS, copy_migrations, insert, project_with, run};
use crate::support::{Database, Host, PASSWORD, Project, Reply, TestApp};

const DATABASE: &str = "state/sqlite_db.db";
const KEY_VALUE: &str = "state/sqlite_key_value.db";
/// The byte of the header with the "file format write version": SQLite opens a file of a version that it does not know
/// for reading only, as it does a file without permission to write, which root would have all the same.
const WRITE_VERSION: u64 = 18;

/// Makes the database read-only for all who open it from now on, or writable again.
fn set_writable(project: &Project, is_writable: bool) {
    let file = File::options().write(true).open(project.path(DATABASE)).expect("it is there");
    let version = if is_writable { 2 } else { 9 };
    file.write_all_at(&[version], WRITE_VERSION).expect("it can be written");
}

/// Registers accounts from several clients at the same time, so that several instances and connections are in use.
fn register_from_many_clients(app: &TestApp, round: &str) -> Vec<Reply> {
    std::thread::scope(|scope| {
        let register = |client: i32| app.try_register(&format!("{round}{client}@example.com"));
        let clients: Vec<_> = (0..8).map(|client| scope.spawn(move || register(client))).collect();
        clients.into_iter().map(|client| client.join().expect("a reply")).collect()
    })
}

#[test]
fn connections_that_were_opened_read_only_are_not_used_again() {
    let project = Project::migrated();
    set_writable(&project, false);
    let app = TestApp::of(project);
    for reply in register_from_many_clients(&app, "before") {
        expect_unavailable(reply);
    }
    set_writable(app.project(), true);
    for round in ["first", "second", "third"] {
        for reply in register_from_many_clients(&app, round) {
            reply.expect_status(201);
        }
    }
}

/// Asserts the reply to a request for which the database is not available.
#[track_caller]
fn expect_unavailable(reply: Reply) {
    let reply = reply.expect_detail(503, "The database is not available");
    assert_eq!(reply.header("retry-after"), Some("5"), "{reply}");
}

#[test]
fn a_locked_database_is_503_to_writers_and_nothing_to_readers() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let db = app.db();
    db.execute_all("BEGIN EXCLUSIVE");
    std::thread::scope(|scope| {
        let mut writers: Vec<_> = (0..8).map(|_| scope.spawn(|| app.try_refresh(&tokens.refresh))).collect();
        writers.push(scope.spawn(|| app.try_register("another@example.com")));
        writers.push(scope.spawn(|| app.try_login(&account.email, PASSWORD)));
        for _ in 0..8 {
            app.get("/healthz").send().expect_status(200);
            app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
        }
        assert!(writers.iter().any(|writer| !writer.is_finished()), "they wait for the lock");
        writers.into_iter().for_each(|writer| expect_unavailable(writer.join().expect("a reply")));
    });
    db.execute_all("ROLLBACK");
    app.refresh(&tokens.refresh);
    app.register("another@example.com");
    let log = app.into_log();
    assert!(log.contains("database is locked"), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "how many requests wait is the host's own")]
fn writers_that_wait_for_another_process_leave_room_for_others() {
    const WRITERS: usize = 80;
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    let db = app.db();
    db.execute_all("BEGIN EXCLUSIVE");
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(|| app.try_refresh(&tokens.refresh))).collect();
        let waiting = || writers.iter().filter(|writer| !writer.is_finished()).count();
        while waiting() > WRITERS / 2 {
            std::thread::sleep(Duration::from_millis(10));
        }
        app.get("/healthz").send().expect_status(200);
        app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
        assert!(waiting() > 0, "some still wait for the lock");
        writers.into_iter().for_each(|writer| expect_unavailable(writer.join().expect("a reply")));
    });
    db.execute_all("ROLLBACK");
    app.refresh(&tokens.refresh);
}

#[test]
fn a_server_starts_without_room_to_write_and_answers_what_only_reads() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    let project = app.into_project().migrate_on_start();
    // As on a full disk, nothing can be appended to the write-ahead log: no file may grow beyond 16 MiB.
    let db = project.db();
    db.execute_all("PRAGMA wal_autocheckpoint = 0; CREATE TABLE ballast AS SELECT zeroblob(17000000) AS bytes");
    let app = TestApp::of(project.limit("-f 32768"));
    expect_unavailable(app.try_register("another@example.com"));
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
    app.get("/readyz").send().expect_status(200);
    drop(db);
}

#[test]
fn a_damaged_database_is_503_until_it_is_repaired() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    app.db().rows("PRAGMA wal_checkpoint(TRUNCATE)", []);
    let file = File::options().read(true).write(true).open(app.project().path(DATABASE));
    let file = file.expect("it is there");
    let mut header = [0; 100];
    file.read_exact_at(&mut header, 0).expect("it can be read");
    file.write_all_at(&[0; 100], 0).expect("it can be written");
    // New instances open new connections; those that know the header may go on.
    let app = app.restart_with(&[]);
    for _ in 0..4 {
        expect_unavailable(app.get("/users/me").bearer(&tokens.access).send());
    }
    app.get("/healthz").send().expect_status(200);
    file.write_all_at(&header, 0).expect("it can be written");
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
    app.login(&account);
}

/// Guesses until attempts at the account are paused, which the key-value store remembers.
#[track_caller]
fn begin_pause(app: &TestApp, email: &str) {
    for _ in 0..10 {
        app.try_login(email, "not the password").expect_status(401);
    }
    app.try_login(email, "not the password").expect_status(429);
}

#[test]
#[cfg_attr(spin_host, ignore = "what Spin does about its own file is Spin's business")]
fn a_locked_key_value_file_delays_nobody() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    let store = Database::open(&app.project().path(KEY_VALUE));
    store.execute_all("BEGIN EXCLUSIVE");
    // If each waited for the one before, the last replies would come after the client has given up.
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| app.login(&account));
            app.get("/healthz").send().expect_status(200);
        }
    });
    // Readers do not wait for a lock, but the writer that remembers the pause does.
    begin_pause(&app, "nobody@example.com");
    store.execute_all("ROLLBACK");
    begin_pause(&app, &account.email);
    assert_ne!(store.value("SELECT count(*) FROM spin_key_value", []), 0, "used again");
    let log = app.into_log();
    // The host and the component wait equally long: either may give up first.
    let reasons = ["database is locked", "no answer within 250 ms"];
    let is_reported =
        |reason| log.contains(&format!("the throttle works without its cache: key-value store: {reason}"));
    assert!(reasons.into_iter().any(is_reported), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "what Spin does about its own file is Spin's business")]
fn a_damaged_key_value_file_is_moved_aside_at_the_start() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    begin_pause(&app, &account.email);
    let mut project = app.into_project();
    let path = project.path(KEY_VALUE);
    Database::open(&path).rows("PRAGMA wal_checkpoint(TRUNCATE)", []);
    // The table, which opening the file does not read; and the header.
    for (number, (offset, length)) in [(4096, 4096), (0, 100)].into_iter().enumerate() {
        let file = File::options().write(true).open(&path).expect("it is there");
        file.write_all_at(&vec![b'x'; length], offset).expect("it can be written");
        let app = TestApp::of(project);
        app.try_login(&account.email, "not the password").expect_status(429);
        let aside = format!("{KEY_VALUE}.damaged-{}", number + 1);
        let count = Database::open(&path).value("SELECT count(*) FROM spin_key_value", []);
        assert_ne!(count, 0, "written to a new file");
        let (stopped, log) = app.into_project_and_log();
        assert!(log.contains(&aside) && stopped.path(&aside).exists(), "{log}");
        project = stopped;
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin does not watch the file")]
fn a_database_that_was_removed_or_replaced_is_503_until_it_is_back() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let (path, away) = (app.project().path(DATABASE), app.project().path("away.db"));
    let expect_nothing_works = || {
        for client in 0..4 {
            expect_unavailable(app.try_register(&format!("lost{client}@example.com")));
            expect_unavailable(app.get("/users/me").bearer(&tokens.access).send());
        }
        app.get("/healthz").send().expect_status(200);
        let ready = app.get("/readyz").send().expect_status(503).json();
        assert_eq!((&ready["database"], &ready["key_value"]), (&json!("unable to open database file"), &json!("ok")));
    };
    fs::rename(&path, &away).expect("it is there");
    expect_nothing_works();
    assert!(!path.exists(), "no empty one takes its place");

    let other = Project::migrated();
    fs::copy(other.path(DATABASE), &path).expect("the folder can be written");
    expect_nothing_works();
    assert_eq!(fs::read(&path).expect("it is there"), fs::read(other.path(DATABASE)).expect("it is there"));

    fs::rename(&away, &path).expect("it is there");
    assert_eq!(app.get("/readyz").send().expect_status(200).json()["database"], "ok");
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
    app.login(&account);
    app.register("another@example.com");
    let emails = app.db().rows("SELECT email FROM users ORDER BY id", []);
    assert_eq!(emails, json!([["user@example.com"], ["another@example.com"]]));
    let log = app.into_log();
    for reason in ["No such file or directory", "it was replaced by another file while in use"] {
        assert!(log.contains(&format!("sqlite_db.db: {reason}")), "{log}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "this is about `lanterne up`")]
fn a_start_without_the_former_database_says_so() {
    const WORDS: &str = "there is no database";
    let (project, log) = TestApp::of(Project::new()).into_project_and_log();
    assert!(!log.contains(WORDS), "the first start: {log}");
    fs::rename(project.path(DATABASE), project.path("away.db")).expect("it is there");
    let log = TestApp::of(project).into_log();
    assert!(log.contains(WORDS), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "this is about `lanterne up`")]
fn a_database_behind_a_dangling_link_is_private() {
    let project = Project::new();
    fs::create_dir(project.path("state")).expect("the folder can be written");
    symlink("../linked.db", project.path(DATABASE)).expect("the folder can be written");
    let app = TestApp::of(project);
    app.register("user@example.com");
    let file = fs::symlink_metadata(app.project().path("linked.db")).expect("the link leads there");
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[test]
#[cfg_attr(spin_host, ignore = "this is about lanterne's cache")]
fn a_damaged_cache_of_compiled_components_is_compiled_anew() {
    let project = Project::new();
    let cache = project.path("cache").display().to_string();
    let project = project.environment("LANTERNE_CACHE_DIR", &cache);
    project.run("migrate", &["upgrade", "head"]).succeeded();
    let compiled = || fs::read_dir(&cache).expect("it is there").map(|entry| entry.expect("an entry").path());
    for path in compiled() {
        let size = fs::metadata(&path).expect("it is there").len();
        let file = File::options().write(true).open(&path).expect("it is ours");
        file.write_all_at(&[0; 64 * 1024], size / 2).expect("it can be written");
    }
    let damaged = compiled().map(|path| fs::read(path).expect("it is there")).collect::<Vec<_>>();
    assert!(project.run("migrate", &["current"]).succeeded().contains("0007"));
    let whole = compiled().map(|path| fs::read(path).expect("it is there")).collect::<Vec<_>>();
    assert!(!damaged.is_empty() && whole.len() == damaged.len() && whole != damaged);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn what_killed_backups_leave_is_removed_by_the_next() {
    let project = project_with("user@example.com");
    project.db().execute_all(
        "CREATE TABLE ballast AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
         SELECT randomblob(4000) FROM n",
    );
    fs::create_dir(project.path("backups")).expect("the folder can be written");
    let files = || fs::read_dir(project.path("backups")).expect("it is there").count();
    for _ in 0..20 {
        let mut command = project.command(Host::Lanterne);
        command.args(["backup", "--state-dir"]).arg(project.path("state")).arg("backups/killed.db");
        let mut child = command.spawn().expect("it starts");
        while files() == 0 && child.try_wait().expect("our own child").is_none() {}
        child.kill().expect("our own child");
        child.wait().expect("our own child");
        if !project.path("backups/killed.db").exists() && files() > 0 {
            break;
        }
        let _ = fs::remove_file(project.path("backups/killed.db"));
    }
    assert!(files() > 0, "all were faster than their killer");

    // Another run may be at work: it holds a lock.
    let running = File::open(project.path("backups")).expect("it is there");
    running.lock_shared().expect("nobody locks it alone");
    let left = files();
    run(&project, "backup", &["backups/first.db"]).succeeded();
    assert_eq!(files(), left + 1);
    drop(running);
    run(&project, "backup", &["backups/second.db"]).succeeded();
    assert_eq!(files(), 2);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn restore_replaces_the_file_behind_a_link_and_keeps_its_access() {
    let project = project_with("before@example.com");
    run(&project, "backup", &["copy.db"]).succeeded();
    insert(&project.db(), "after@example.com");
    let (link, target) = (project.path(DATABASE), project.path("elsewhere/real.db"));
    fs::create_dir(project.path("elsewhere")).expect("the folder can be written");
    fs::rename(&link, &target).expect("it is there");
    symlink("../elsewhere/real.db", &link).expect("the folder can be written");
    fs::set_permissions(&target, Permissions::from_mode(0o640)).expect("it is ours");
    // Fails unless the tests run as root: then the owner stays the same anyway.
    let _ = chown(&target, Some(1234), Some(2345));
    let access = || {
        let file = fs::symlink_metadata(&target).expect("it is there");
        (file.is_file(), file.mode(), file.uid(), file.gid())
    };
    let before = access();

    let printed = run(&project, "restore", &["copy.db"]).succeeded();
    assert!(printed.contains("real.db.before-restore-"), "{printed}");
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert_eq!(access(), before);
    assert_eq!(project.db().rows(EMAILS, []), json!([["before@example.com"]]));

    fs::remove_file(&target).expect("it is there");
    run(&project, "restore", &["copy.db"]).succeeded();
    assert_eq!(project.db().rows(EMAILS, []), json!([["before@example.com"]]));
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn restore_refuses_a_backup_without_all_its_tables() {
    let project = project_with("user@example.com");
    for (name, sql, fault) in [
        ("no-table.db", "DROP TABLE audit_logs", "there is no table audit_logs"),
        ("no-column.db", "ALTER TABLE sessions DROP COLUMN user_agent", "its table sessions has no column user_agent"),
    ] {
        run(&project, "backup", &[name]).succeeded();
        Database::open(&project.path(name)).execute_all(sql);
        run(&project, "restore", &[name]).failed(1, &[name, fault]);
    }
    run(&project, "restore", &["--force", "no-column.db"]).succeeded();
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn restore_takes_a_backup_of_an_adopted_database() {
    let project = Project::new();
    copy_migrations(&project);
    fs::create_dir(project.path("state")).expect("the folder can be written");
    drop(python_database(&project.path(DATABASE)));
    project.run("migrate", &["upgrade", "head"]).succeeded();
    run(&project, "backup", &["copy.db"]).succeeded();
    run(&project, "restore", &["copy.db"]).succeeded();
}
