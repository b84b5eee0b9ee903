//! What a host makes of a component that fails: an error for the one request, a line in the log, and on it goes.

use crate::support::{Project, TestApp, only_on_lanterne};

const WHY: &str = "what becomes of a trap is the host's own";

fn faulty() -> TestApp {
    TestApp::of(Project::new().edit("spin.toml", "release/api.wasm", "release/faulty.wasm"))
}

#[test]
fn a_trap_is_500_with_a_line_in_the_log_and_the_server_goes_on() {
    if !only_on_lanterne(WHY) {
        return;
    }
    let app = faulty();
    for path in ["/panic", "/memory", "/database"] {
        app.get(path).send().expect_detail(500, "Internal Server Error");
        assert_eq!(app.get("/").send().expect_status(200).text(), "fine");
        let log = app.log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&format!("lanterne: GET {path}"))).collect();
        assert_eq!(lines.len(), 1, "one line each: {log}");
    }
}

#[test]
fn a_trap_costs_no_other_request() {
    if !only_on_lanterne(WHY) {
        return;
    }
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
fn a_transaction_that_a_trap_cut_off_is_undone() {
    if !only_on_lanterne(WHY) {
        return;
    }
    let app = faulty();
    for _ in 0..3 {
        // Each would wait for the lock of the one before it, and fail otherwise than by its panic.
        app.get("/database").send().expect_status(500);
    }
    assert!(!app.log().contains("database is locked"), "{}", app.log());
    app.db().execute_all("CREATE TABLE still_writable (id INTEGER)");
}
