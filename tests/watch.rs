//! `lanterne up --watch`. The builds copy components that exist already.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Host, Project, TestApp, root};

/// The path of a built component.
fn component(name: &str) -> PathBuf {
    root().join(format!("target/wasm32-wasip2/release/{name}.wasm"))
}

/// A project whose API is built by copying `next.wasm` to `served.wasm`. It begins with the component `faulty`.
fn project() -> Project {
    // Builds the components if this test is the first.
    Host::under_test().program();
    let project = Project::migrated();
    let manifest = fs::read_to_string(project.path("spin.toml")).expect("a manifest");
    let edited: String = manifest
        .lines()
        .map(|line| match line {
            _ if line.starts_with("source = ") => "source = \"served.wasm\"\n".to_owned(),
            _ if line.starts_with("command = ") => "command = \"cp next.wasm served.wasm\"\n".to_owned(),
            _ if line.starts_with("watch = ") => "watch = [\"*.wasm\", \"target/**/*\"]\n".to_owned(),
            _ => format!("{line}\n"),
        })
        .collect();
    let project = project.file("spin.toml", &edited).flag("--watch");
    fs::copy(component("faulty"), project.path("next.wasm")).expect("it is built");
    project
}

/// Waits until the server answers with the API instead of the component `faulty`. No request may fail meanwhile.
#[track_caller]
fn wait_for_api(app: &TestApp) {
    for _ in 0..10_000 {
        let text = app.get("/healthz").send().expect_status(200).text();
        if text.contains("healthy") {
            return;
        }
        assert_eq!(text, "fine");
        thread::sleep(Duration::from_millis(5));
    }
    panic!("the component was not replaced");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests lanterne up --watch")]
fn a_changed_component_is_built_and_replaced_without_a_failed_request() {
    let app = TestApp::of(project().build_on_start());
    let (is_paused, is_replaced) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        // In the former component, one of them while it is replaced.
        let paused = scope.spawn(|| {
            let mut replies = Vec::new();
            while !is_replaced.load(Ordering::Relaxed) {
                is_paused.store(true, Ordering::Relaxed);
                let reply = app.get("/pause").send();
                replies.push((reply.status(), reply.text()));
            }
            replies
        });
        while !is_paused.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        // No source, although a pattern matches it.
        fs::create_dir(app.project().path("target")).expect("the folder can be written");
        fs::write(app.project().path("target/next.wasm"), "garbage").expect("the folder can be written");
        fs::copy(component("api"), app.project().path("next.wasm")).expect("it is built");
        wait_for_api(&app);
        is_replaced.store(true, Ordering::Relaxed);
        let replies = paused.join().expect("no request fails");
        // The API has no such route.
        let is_answered = |(status, text): &(u16, String)| *status == 404 || *status == 200 && text == "rested";
        assert!(replies.iter().all(is_answered), "{replies:?}");
        assert_eq!(replies[0].1, "rested");
    });
    app.register("user@example.com");
    let finished = app.finish();
    assert_eq!(finished.stdout.matches("   Building  api").count(), 2, "{finished:#?}");
    assert_eq!(finished.stdout.matches("   Replaced  api: new requests use it").count(), 1, "{finished:#?}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests lanterne up --watch")]
fn a_component_that_cannot_be_built_or_loaded_is_not_replaced() {
    let app = TestApp::of(project().build_on_start());
    let next = app.project().path("next.wasm");
    fs::remove_file(&next).expect("it is there");
    app.wait_for_log("cannot stat 'next.wasm'");
    app.wait_for_log("the build of api (1 of 1) failed: cp next.wasm served.wasm; api stays as it was");
    fs::write(&next, "garbage").expect("the folder can be written");
    app.wait_for_log("served.wasm is no component that this host can run");
    assert_eq!(app.get("/").send().expect_status(200).text(), "fine");
    fs::copy(component("api"), &next).expect("it is built");
    wait_for_api(&app);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests lanterne up --watch")]
fn without_builds_changed_components_are_replaced() {
    let project = project();
    fs::copy(component("faulty"), project.path("served.wasm")).expect("it is built");
    let app = TestApp::of(project);
    assert_eq!(app.get("/").send().expect_status(200).text(), "fine");
    fs::copy(component("api"), app.project().path("served.wasm")).expect("it is built");
    wait_for_api(&app);
    assert!(!app.finish().stdout.contains("Building"));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests lanterne up --watch")]
fn a_scheduled_command_is_replaced() {
    Host::under_test().program();
    let source = format!("{}/target/wasm32-wasip2/release/deliver.wasm", root().display());
    let project = Project::migrated().edit("spin.commands.toml", &source, "deliver.wasm").variable("mail", "log");
    fs::copy(component("deliver"), project.path("deliver.wasm")).expect("it is built");
    let app = TestApp::of(project.flag("--watch"));
    // What it says without arguments.
    fs::copy(component("migrate"), app.project().path("deliver.wasm")).expect("it is built");
    app.wait_for_log("migrate: no command given");
}
