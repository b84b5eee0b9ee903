//! The command line of `lanterne`, and what it denies to components.

use std::fs;
use std::net::TcpListener;

use crate::support::{Finished, Host, Project, TestApp};

/// Runs `lanterne ARGUMENTS` in the project's folder.
fn lanterne(project: &Project, arguments: &[&str]) -> Finished {
    let mut command = project.command(Host::Lanterne);
    command.args(arguments);
    Finished::of(command)
}

#[track_caller]
fn refused(project: Project) -> Finished {
    TestApp::try_of(project).err().expect("the server started")
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn help_lists_every_command_and_flag() {
    let project = Project::new();
    let help = lanterne(&project, &["--help"]).succeeded();
    for word in [
        "up",
        "build",
        "migrate",
        "seed",
        "prune",
        "users",
        "deliver",
        "backup",
        "restore",
        "SECRET_KEY",
        "DATABASE_URL",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let help = lanterne(&project, &["up", "--help"]).succeeded();
    for flag in ["--listen", "--state-dir", "--variable", "--from", "--quiet", "--seed", "--no-migrate", "--no-build"] {
        assert!(help.contains(flag), "{flag}: {help}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn an_unknown_flag_or_command_is_reported() {
    let project = Project::new();
    lanterne(&project, &["up", "--lisen", "127.0.0.1:0"]).failed(2, &["--lisen", "--listen"]);
    lanterne(&project, &["start"]).failed(2, &["start"]);
    lanterne(&project, &["migrat", "current"]).failed(2, &["'migrate'"]);
    lanterne(&project, &["migrate", "upgrade", "head", "--sate-dir", "x"]).failed(2, &["--sate-dir", "--state-dir"]);
    for words in [&[][..], &["migrate"], &["prune"]] {
        lanterne(&project, words).failed(2, &["Usage"]);
    }
    lanterne(&project, &["up", "--state-dir"]).failed(2, &["a value is required for '--state-dir <DIR>'"]);
    lanterne(&project, &["up", "--stop-timeout", "soon"]).failed(2, &["must be a whole number from 0"]);
    lanterne(&project, &["up", "--variable", "no-equals-sign"]).failed(2, &["no-equals-sign", "KEY=VALUE"]);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn options_may_follow_the_arguments_of_a_command() {
    let project = Project::new();
    lanterne(&project, &["migrate", "upgrade", "head", "--no-build", "--state-dir", "elsewhere"]).succeeded();
    let seed = ["seed", "--no-build", "--admin-email", "root@example.com", "--state-dir=elsewhere", "--quiet"];
    let seed = lanterne(&project, &[&seed[..], &["--variable", "bcrypt_cost=10"]].concat()).succeeded();
    assert!(seed.contains("root@example.com: created"), "{seed}");
    let prune = ["prune", "--audit-days", "1", "--dry-run", "--no-build", "--state-dir", "elsewhere"];
    assert!(lanterne(&project, &prune).succeeded().contains("Would delete 0 audit rows"));
    lanterne(&project, &["backup", "copy.db", "--state-dir", "elsewhere"]).succeeded();
    lanterne(&project, &["restore", "copy.db", "--state-dir", "elsewhere"]).succeeded();
    assert!(project.path("elsewhere/sqlite_db.db").exists() && !project.path(".spin").exists());
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn a_missing_component_is_reported_with_a_suggestion() {
    let project = Project::new().edit("spin.commands.toml", "release/migrate.wasm", "release/nowhere.wasm");
    let finished = lanterne(&project, &["migrate", "current", "--no-build"]);
    finished.failed(1, &["nowhere.wasm", "lanterne build"]);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn an_address_that_cannot_be_used_is_explained() {
    for (address, status, words) in [
        ("8000", 2, "must be ADDRESS:PORT, as in 127.0.0.1:8000"),
        ("localhost:99999", 2, "must be ADDRESS:PORT"),
        ("192.0.2.1:8000", 1, "this machine has no address 192.0.2.1:8000"),
    ] {
        let finished = Finished::of(Project::new().serve(Host::Lanterne, address));
        finished.failed(status, &[address, words]);
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn an_address_in_use_is_reported_with_a_suggestion() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let finished = Finished::of(Project::new().serve(Host::Lanterne, &address));
    finished.failed(1, &[&address, "--listen"]);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn a_missing_or_invalid_manifest_is_reported() {
    let project = Project::new();
    lanterne(&project, &["up", "--from", "nowhere/spin.toml"]).failed(1, &["nowhere/spin.toml", "--from"]);
    let project = project.file("spin.toml", "spin_manifest_version = 2\n[component\n");
    lanterne(&project, &["up", "--no-build"]).failed(1, &["spin.toml:2"]);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn a_missing_component_file_is_reported() {
    let project = Project::new().edit("spin.toml", "/api.wasm", "/no-such-component.wasm");
    refused(project).failed(1, &["no-such-component.wasm"]);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn a_component_without_a_database_grant_is_refused() {
    let grant = "sqlite_databases = [\"default\"]";
    refused(Project::new().edit("spin.toml", grant, "")).failed(1, &["\"api\"", "spin:sqlite", "sqlite_databases"]);
    let project = Project::new().edit("spin.commands.toml", grant, "");
    project.run("migrate", &["upgrade", "head"]).failed(1, &["\"migrate\"", "spin:sqlite", "sqlite_databases"]);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
    let project = Project::new().file("notes.txt", "not a database, but somebody's notes, longer than a header is");
    let project = project.environment("DATABASE_URL", "sqlite:///notes.txt");
    let path = project.path("notes.txt");
    let before = fs::read(&path).expect("it is there");
    let finished = Finished::of(project.serve(Host::Lanterne, "127.0.0.1:0"));
    finished.failed(1, &["not an SQLite database"]);
    assert_eq!(fs::read(&path).expect("it is there"), before);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the command line of lanterne")]
fn quiet_announces_the_address_and_logs_nothing() {
    let app = TestApp::of(Project::new().flag("--quiet"));
    app.get("/healthz").send().expect_status(200);
    assert_eq!(app.into_log(), "");
}

#[test]
fn a_request_that_is_not_http_does_not_stop_the_server() {
    use std::io::{Read as _, Write as _};

    let app = TestApp::start();
    let mut socket = std::net::TcpStream::connect(app.address()).expect("it listens");
    socket.write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n").expect("it is sent");
    let mut answer = Vec::new();
    // The server may refuse the request or close the connection.
    let _ = socket.read_to_end(&mut answer);
    app.get("/healthz").send().expect_status(200);
}
