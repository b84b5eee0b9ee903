//! Clients that hold what others need: connections, instances, processors, memory.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::support::{Finished, Host, Project, TestApp};

/// A server with few connections.
fn small() -> TestApp {
    TestApp::of(Project::migrated().limit("-n 64"))
}

/// A server with the component for tests, two of whose requests are heavy.
fn faulty(project: Project, heavy: [&str; 2]) -> TestApp {
    let project = project.edit("spin.toml", "release/api.wasm", "release/faulty.wasm");
    let project = project.edit("spin.toml", "POST /auth/register", heavy[0]);
    TestApp::of(project.edit("spin.toml", "POST /auth/login", heavy[1]))
}

/// Returns the number of processors, and so of the threads of each kind.
fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Sends a request without reading the reply.
fn send(app: &TestApp, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).expect("the request is taken");
    stream
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn idle_connections_make_room_for_others() {
    let app = small();
    let _idle: Vec<_> = (0..40).map(|_| TcpStream::connect(app.address()).expect("a connection")).collect();
    app.get("/healthz").send().expect_status(200);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn clients_that_never_read_make_room_for_others() {
    let app = small();
    let _unread: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = send(&app, "/openapi.json");
            // More than the buffers of both sides hold, if the server answers them all.
            let more = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
            stream.set_nonblocking(true).expect("an option");
            let _ = stream.write(more.as_bytes());
            stream
        })
        .collect();
    app.get("/healthz").send().expect_status(200);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn a_client_with_too_many_connections_loses_its_idlest() {
    let app = TestApp::of(Project::migrated().flag("--client-connections").flag("2"));
    let [mut first, second] = [(), ()].map(|()| TcpStream::connect(app.address()).expect("a connection"));
    // One that is used often is not closed.
    std::thread::sleep(Duration::from_millis(200));
    app.get("/healthz").send().expect_status(200);
    assert_eq!(first.read(&mut [0; 1]).expect("the end of the connection"), 0);
    second.set_nonblocking(true).expect("an option");
    assert!((&second).read(&mut [0; 1]).is_err(), "it is still open");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn heavy_requests_leave_instances_to_others_and_end_with_their_clients() {
    let app = faulty(Project::migrated(), ["GET /compute", "GET /brief"]);
    // More than there are instances.
    let heavy: Vec<_> = (0..100).map(|_| send(&app, "/compute")).collect();
    for _ in 0..8 {
        app.get("/").send().expect_status(200);
    }
    drop(heavy);
    // Before the server notices, the next request could share an instance with one that computes without end.
    std::thread::sleep(Duration::from_secs(1));
    // Heavy as well: it gets a place only if the others are gone.
    app.get("/brief").send().expect_status(200);
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn heavy_requests_compute_on_threads_of_their_own() {
    let app = faulty(Project::migrated(), ["GET /compute", "GET /brief"]);
    let time = |threads| app.threads(threads).into_iter().sum::<Duration>();
    assert!(app.threads("component").len() >= processors());
    let before = time("component");
    let _heavy = send(&app, "/compute");
    let enough = Duration::from_millis(200);
    let has_computed = (0..10_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        time("heavy") >= enough
    });
    assert!(has_computed, "no heavy thread has computed");
    // A thread for blocking work may have ended since.
    assert!(time("component").saturating_sub(before) < enough / 2);
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn blocking_statements_of_heavy_requests_run_on_other_threads() {
    let app = TestApp::of(Project::migrated());
    app.logged_in("rosa@example.org");
    // Threads for blocking work have the name of their runtime: more of them would mean that a statement ran on one.
    assert_eq!(app.threads("heavy").len(), processors());
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn requests_that_compute_without_end_leave_their_threads_to_others() {
    let app = faulty(Project::migrated(), ["GET /compute", "GET /brief"]);
    let _heavy: Vec<_> = (0..100).map(|_| send(&app, "/compute")).collect();
    app.get("/").send().expect_status(200);
    let _light: Vec<_> = (0..processors()).map(|_| send(&app, "/compute-too")).collect();
    for _ in 0..8 {
        app.get("/").send().expect_status(200);
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn requests_that_compute_without_end_leave_the_database_to_heavy_ones() {
    let app = faulty(Project::migrated(), ["GET /users", "GET /brief"]);
    // One for each thread on which statements of heavy requests run.
    let _light: Vec<_> = (0..processors()).map(|_| send(&app, "/compute")).collect();
    std::thread::sleep(Duration::from_millis(100));
    app.get("/users").send().expect_status(200);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn an_oversized_response_does_not_fail_the_requests_beside_it() {
    let app = faulty(Project::migrated(), ["GET /pause", "GET /large"]);
    std::thread::scope(|scope| {
        // One in each instance.
        let beside: Vec<_> = (0..processors()).map(|_| scope.spawn(|| app.get("/pause").send())).collect();
        std::thread::sleep(Duration::from_millis(300));
        app.get("/large").send().expect_detail(500, "Internal Server Error");
        for request in beside {
            assert_eq!(request.join().expect("a response").expect_status(200).text(), "rested");
        }
    });
    assert!(app.into_log().contains(": GET /large: "));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn a_server_with_few_files_answers_many_clients() {
    let app = small();
    std::thread::scope(|scope| {
        for _ in 0..60 {
            scope.spawn(|| (0..5).for_each(|_| drop(app.get("/healthz").send().expect_status(200))));
        }
    });
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn a_server_with_little_address_space_answers_many_clients() {
    let app = faulty(Project::migrated().limit("-v 8388608"), ["GET /compute", "GET /brief"]);
    std::thread::scope(|scope| {
        for _ in 0..60 {
            scope.spawn(|| app.get("/users").send().expect_status(200));
        }
    });
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn limits_of_the_process_that_are_too_low_are_refused() {
    for (limit, name) in [("-n 40", "ulimit -n"), ("-v 1000000", "ulimit -v")] {
        let finished = Finished::of(Project::migrated().limit(limit).serve(Host::Lanterne, "127.0.0.1:0"));
        finished.failed(1, &[name, "must be at least"]);
    }
}
