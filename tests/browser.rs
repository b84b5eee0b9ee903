//! Pages in a browser: the scripts of `e2e/` against a server.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::support::{ExampleReceiver, Finished, TestApp};

/// Runs a script of `e2e/` with the address of the server and another argument.
#[track_caller]
fn run(script: &str, app: &TestApp, argument: Option<&OsStr>) {
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e").join(script));
    command.arg(format!("http://{}", app.address())).args(argument);
    Finished::of(command).succeeded();
}

#[test]
#[cfg_attr(not(has_browser), ignore = "needs Node, Chromium and the packages of e2e/ (npm ci --prefix e2e)")]
fn the_documentation_works_in_a_browser() {
    run("docs.mjs", &TestApp::start(), None);
}

#[test]
#[cfg_attr(not(has_browser), ignore = "needs Node, Chromium and the packages of e2e/ (npm ci --prefix e2e)")]
fn the_example_app_works_in_a_browser() {
    let receiver = ExampleReceiver::start("node", "receiver.mjs");
    let mut variables = receiver.variables().to_vec();
    variables.extend([
        ("password_reset_url", "http://localhost:3000/?page=reset"),
        ("email_verification", "required"),
        ("email_verification_url", "http://localhost:3000/?page=verify"),
        ("refresh_retry_seconds", "20"),
    ]);
    run("web.mjs", &TestApp::with(&variables), Some(receiver.output().as_os_str()));
}
