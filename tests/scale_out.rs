//! Several Spin processes on one libSQL server and one Redis.
//!
//! Needs `spin` and `redis-server` on the PATH, `LANTERNE_TEST_HOST=spin`, and in `LANTERNE_TEST_LIBSQL_URL` the address of a
//! libSQL server without authentication, whose database these tests empty. One test at a time uses it.
#![cfg_attr(not(scale_out), allow(dead_code, unused_imports, reason = "every test is ignored"))]

use std::env;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::adoption::{EMAIL, HASH, INSERT_USER, OLD_PASSWORD, TABLES};
use crate::support::{Account, Client, PASSWORD, Project, Reply, TestApp};

const WRONG: &str = "not the password";
/// How long the server keeps an idle stream.
const STREAM_IDLE: Duration = Duration::from_secs(10);

/// An empty database on the libSQL server, and a Redis of its own.
struct Servers {
    redis: Child,
    redis_url: String,
    _turn: MutexGuard<'static, ()>,
}

impl Servers {
    fn start() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"];
        let mut redis = Command::new("redis-server");
        redis.args(arguments).arg(free.port().to_string()).stdout(Stdio::null());
        let redis = redis.spawn().expect("it is installed");
        let servers = Self { redis, redis_url: format!("redis://{free}"), _turn: turn };
        let objects =
            servers.rows("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type DESC");
        let drops = objects.iter().map(|object| format!("DROP {} IF EXISTS {}", object[0], object[1]));
        servers.execute(["PRAGMA foreign_keys = OFF".to_owned()].into_iter().chain(drops));
        servers
    }

    /// A project on both servers, without tables.
    fn project(&self) -> Project {
        let (libsql, redis) = (libsql_url(), &self.redis_url);
        Project::new().runtime_config(&format!(
            "[sqlite_database.default]\ntype = \"libsql\"\nurl = \"{libsql}\"\ntoken = \"none\"\n\n\
             [key_value_store.default]\ntype = \"redis\"\nurl = \"{redis}\"\n"
        ))
    }

    /// Starts a Spin process on both servers.
    fn app(&self) -> TestApp {
        TestApp::of(self.project())
    }

    /// Runs a statement on the libSQL server and returns its rows, with all values as text.
    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let results = self.execute([sql.to_owned()]);
        let rows = results[0]["response"]["result"]["rows"].as_array().expect("rows").iter();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        rows.map(|row| row.as_array().expect("a row").iter().map(text).collect()).collect()
    }

    /// Runs statements on one connection to the libSQL server, with its own protocol (Hrana over HTTP).
    fn execute(&self, statements: impl IntoIterator<Item = String>) -> Value {
        let execute = |sql| json!({"type": "execute", "stmt": {"sql": sql}});
        let requests: Vec<_> = statements.into_iter().map(execute).chain([json!({"type": "close"})]).collect();
        let url = format!("{}/v2/pipeline", libsql_url());
        let response = ureq::post(&url).send(&json!({"requests": requests}).to_string());
        let text = response.and_then(|mut response| response.body_mut().read_to_string());
        let text = text.unwrap_or_else(|error| panic!("{url}: {error}"));
        let reply: Value = serde_json::from_str(&text).expect("JSON");
        let results = reply["results"].clone();
        let is_ok = |result: &Value| result["type"] == "ok";
        assert!(results.as_array().is_some_and(|results| results.iter().all(is_ok)), "{requests:?}: {reply}");
        results
    }

    fn signal_redis(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.redis), signal).expect("our own child");
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.redis.kill();
        let _ = self.redis.wait();
    }
}

fn libsql_url() -> String {
    env::var("LANTERNE_TEST_LIBSQL_URL").expect("the address of a server").trim_end_matches('/').to_owned()
}

/// Sends one request per client at the same time, in turn to each of `apps`.
fn at_once(apps: &[TestApp], clients: usize, send: impl Fn(&TestApp, usize) -> Reply + Sync) -> Vec<u16> {
    let barrier = Barrier::new(clients);
    thread::scope(|scope| {
        let client = |number: usize| {
            let (barrier, send) = (&barrier, &send);
            scope.spawn(move || {
                barrier.wait();
                send(&apps[number % apps.len()], number).status()
            })
        };
        let clients: Vec<_> = (0..clients).map(client).collect();
        clients.into_iter().map(|client| client.join().expect("a reply")).collect()
    })
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|found| **found == status).count()
}

#[test]
#[cfg_attr(not(scale_out), ignore = "needs Spin, Redis and a libSQL server")]
fn commands_work_on_a_server() {
    let servers = Servers::start();
    let project = servers.project();
    let applied = project.run("migrate", &["upgrade", "head"]).succeeded();
    assert!(applied.contains("Applied 0001") && applied.contains("Applied 0007"), "{applied}");
    let reverted = project.run("migrate", &["downgrade", "base"]).succeeded();
    assert!(reverted.contains("Reverted 0001"), "{reverted}");
    project.run("migrate", &["upgrade", "head"]).succeeded();
    let project = project.variable("seed_admin_password", PASSWORD);
    let created = project.run("seed", &["--admin-email", "admin@example.com"]).succeeded();
    assert!(created.contains("admin@example.com: created"), "{created}");
    assert!(project.run("users", &["list"]).succeeded().contains("admin@example.com"));
    servers.rows("UPDATE users SET created_at = '2020-01-01 00:00:00.000000'");
    let pruned = ["--throttle", "--audit-days", "1", "--sessions-days", "1", "--spent-days", "7", "--mail-days", "1"];
    let printed = project.run("prune", &pruned).succeeded();
    assert!(printed.contains("Deleted 0 audit rows"), "{printed}");
    project.run("prune", &["--compact"]).failed(1, &["a database server does not offer VACUUM"]);
    project.run("deliver", &[]).succeeded();
}

#[test]
#[cfg_attr(not(scale_out), ignore = "needs Spin, Redis and a libSQL server")]
fn a_database_of_the_python_server_is_adopted() {
    let servers = Servers::start();
    for statement in TABLES.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        servers.rows(statement);
    }
    servers.rows(&INSERT_USER.replace("?1", &format!("'{EMAIL}'")).replace("?2", &format!("'{HASH}'")));
    let app = servers.app();
    let account = Account { email: EMAIL.to_owned(), ..app.register("new@example.com") };
    app.try_login(&account.email, OLD_PASSWORD).expect_status(200);
    assert_eq!(servers.rows("SELECT count(*) FROM schema_migrations"), [["7"]]);
}

#[test]
#[cfg_attr(not(scale_out), ignore = "needs Spin, Redis and a libSQL server")]
fn races_between_two_processes_have_one_winner() {
    let servers = Servers::start();
    let apps = [servers.app(), servers.app()];
    for round in 0..5 {
        let email = format!("user{round}@example.com");
        let statuses = at_once(&apps, 4, |app, _| app.try_register(&email));
        assert_eq!((count(&statuses, 201), count(&statuses, 400)), (1, 3), "{statuses:?}");
    }
    let account = apps[0].register("user@example.com");
    for _ in 0..20 {
        let tokens = apps[0].login(&account);
        let statuses = at_once(&apps, 8, |app, _| app.try_refresh(&tokens.refresh));
        assert_eq!((count(&statuses, 200), count(&statuses, 401)), (1, 7), "{statuses:?}");
    }
    let statuses = at_once(&apps, 50, |app, _| app.try_login(&account.email, WRONG));
    assert_eq!((count(&statuses, 401), count(&statuses, 429)), (10, 40), "{statuses:?}");
}

#[test]
#[cfg_attr(not(scale_out), ignore = "needs Spin, Redis and a libSQL server")]
fn two_administrators_demoting_each_other_leave_one() {
    let servers = Servers::start();
    let apps = [servers.app(), servers.app()];
    let accounts = ["a@example.com", "b@example.com"].map(|email| apps[0].register(email));
    let tokens = [0, 1].map(|number| apps[number].login(&accounts[number]));
    for _ in 0..10 {
        servers.rows("UPDATE users SET is_admin = 1");
        let statuses = at_once(&apps, 2, |app, number| {
            let path = format!("/admin/users/{}", accounts[1 - number].id);
            app.request("PATCH", &path).bearer(&tokens[number].access).json(&json!({"is_admin": false})).send()
        });
        assert_eq!(count(&statuses, 200), 1, "{statuses:?}");
        assert_eq!(servers.rows("SELECT count(*) FROM users WHERE is_admin"), [["1"]]);
    }
}

#[test]
#[cfg_attr(not(scale_out), ignore = "needs Spin, Redis and a libSQL server")]
fn connections_that_the_server_has_closed_cost_no_request() {
    let servers = Servers::start();
    let app = servers.app();
    let (_, tokens) = app.logged_in("user@example.com");
    thread::sleep(STREAM_IDLE + Duration::from_secs(1));
    let tokens = app.refresh(&tokens.refresh);
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
}

#[test]
#[cfg_attr(not(scale_out), ignore = "needs Spin, Redis and a libSQL server")]
fn logins_go_on_without_redis() {
    let servers = Servers::start();
    let app = servers.app();
    let account = app.register("user@example.com");
    app.login(&account);
    // One that hangs, then none.
    for signal in [Signal::STOP, Signal::KILL] {
        servers.signal_redis(signal);
        let ready = app.get("/readyz").send().expect_status(503).json();
        assert_eq!((&ready["database"], &ready["key_value"]), (&json!("ok"), &json!("not available")));
        let tokens = app.login(&account);
        app.refresh(&tokens.refresh);
        app.try_login(&account.email, WRONG).expect_status(401);
        app.get("/healthz").send().expect_status(200);
    }
}

/// Registers accounts at `app` until `is_over`, or it is gone. Returns the addresses that were acknowledged.
fn register_many(app: &str, client: usize, is_over: &AtomicBool) -> Vec<String> {
    let http = Client::new();
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let email = format!("user{number}-of-{client}@example.com");
        let body = json!({"email": email, "password": PASSWORD});
        let Ok(reply) = http.request("POST", &format!("{app}/auth/register")).json(&body).try_send() else { break };
        reply.expect_status(201);
        acknowledged.push(email);
    }
    acknowledged
}

#[test]
#[cfg_attr(not(scale_out), ignore = "needs Spin, Redis and a libSQL server")]
fn a_killed_process_loses_nothing_and_the_other_goes_on() {
    const CLIENTS: usize = 4;
    let servers = Servers::start();
    let start = || TestApp::of(servers.project().variable("throttle", "off"));
    let (killed, survivor) = (start(), start());
    let urls = [&killed, &survivor].map(|app| format!("http://{}", app.address()));
    let is_over = AtomicBool::new(false);
    let acknowledged = thread::scope(|scope| {
        let (urls, is_over) = (&urls, &is_over);
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || register_many(&urls[client % 2], client, is_over))).collect();
        let registered = || servers.rows("SELECT count(*) FROM users")[0][0].parse::<usize>().expect("a number");
        let wait_for = |count: usize| {
            let start = Instant::now();
            while registered() < count {
                assert!(start.elapsed() < Duration::from_secs(60), "too few registrations");
                thread::sleep(Duration::from_millis(20));
            }
        };
        wait_for(20);
        killed.kill();
        // The transactions that were open must not stop the other process.
        wait_for(registered() + 20);
        is_over.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect::<Vec<_>>()
    });
    for email in &acknowledged {
        assert_eq!(servers.rows(&format!("SELECT count(*) FROM users WHERE email = '{email}'")), [["1"]], "{email}");
    }
    let unaudited = "SELECT count(*) FROM users WHERE NOT EXISTS (
                         SELECT 1 FROM audit_logs WHERE action = 'register' AND user_id = users.id)";
    assert_eq!(servers.rows(unaudited), [["0"]]);
    survivor.get("/readyz").send().expect_status(200);
}
