//! The program that contains the app (`--features embed`), in a folder with nothing else.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Finished, PASSWORD, Reply};

/// Returns a command of the program in this folder, which sees no settings of a developer.
fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(folder.join("lanterne"));
    // Where the root file system is read-only there is no directory for temporary files.
    command.env_clear().env("BCRYPT_COST", "10").env("HOME", folder).env("TMPDIR", folder.join("missing"));
    command.current_dir(folder).args(words);
    command
}

fn run(folder: &Path, words: &[&str]) -> Finished {
    Finished::of(command(folder, words))
}

/// Starts the server; returns it with its URL.
fn start(folder: &Path) -> (Child, String) {
    let mut server =
        command(folder, &["up", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().expect("a program");
    let lines = BufReader::new(server.stdout.take().expect("it is piped")).lines();
    let url = lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix("Listening on ")?.to_owned()));
    (server, url.expect("the server listens"))
}

fn stop(mut server: Child) {
    kill_process(Pid::from_child(&server), Signal::TERM).expect("our own child");
    assert_eq!(server.wait().expect("our own child").code(), Some(0));
}

fn post(url: &str, path: &str, body: &Value) -> Reply {
    Client::new().request("POST", &format!("{url}{path}")).json(body).send()
}

#[test]
#[cfg_attr(not(one_file), ignore = "needs LANTERNE_ONE_FILE, the path of a program built with --features embed")]
fn a_folder_with_only_the_program_is_a_server() {
    let program = env::var_os("LANTERNE_ONE_FILE").expect("build.rs has seen it");
    let temporary = TempDir::new().expect("a temporary folder");
    let folder = temporary.path();
    fs::copy(program, folder.join("lanterne")).expect("the program can be copied");
    let account = json!({"email": "user@example.com", "password": PASSWORD});

    let (server, url) = start(folder);
    post(&url, "/auth/register", &account).expect_status(201);
    let health = run(folder, &["health", &format!("{url}/readyz")]).succeeded();
    assert!(health.contains(r#""status":"ready""#), "{health}");
    run(folder, &["backup", "copy.db"]).succeeded();
    run(folder, &["migrate", "downgrade", "0004"])
        .failed(1, &["drops users.email_verified, the table one_time_tokens"]);
    run(folder, &["up", "--watch", "--listen", "127.0.0.1:0"]).failed(2, &["--watch needs the sources of the app"]);
    stop(server);
    run(folder, &["health", &format!("{url}/readyz")]).failed(1, &["does not answer"]);

    run(folder, &["users", "delete", "user@example.com"]).succeeded();
    run(folder, &["restore", "copy.db"]).succeeded();
    run(folder, &["prune", "--sessions-days", "1"]).succeeded();
    run(folder, &["migrate", "current"]).succeeded();
    run(folder, &["build"]).failed(1, &["there is no manifest", "--from"]);
    run(folder, &["migrate", "revision", "-m", "more"]).failed(1, &["there is no manifest", "--from"]);

    let (server, url) = start(folder);
    post(&url, "/auth/login", &account).expect_status(200);
    stop(server);
}
