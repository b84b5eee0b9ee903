//! The metrics of `lanterne up --metrics-listen`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, Host, PASSWORD, Project, SECRET, TestApp};

const DURATIONS: &str = "lanterne_http_request_duration_seconds";
/// How often a state that comes soon is looked for.
const ATTEMPTS: u32 = 600;

/// A page of metrics: the type of each family, and the value of each series.
#[derive(Debug)]
struct Metrics {
    types: BTreeMap<String, String>,
    series: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

impl Metrics {
    /// Reads the metrics of `app`.
    #[track_caller]
    fn of(app: &TestApp) -> Self {
        let reply = app.metrics().expect("they are announced").send().expect_status(200);
        assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Self::parse(&reply.text())
    }

    /// Parses the text format, and refuses what Prometheus or its linter would refuse.
    #[track_caller]
    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n') && !text.contains("\n\n"), "lines");
        let mut metrics = Self { types: BTreeMap::new(), series: BTreeMap::new() };
        let (mut described, mut family) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("name and text");
                assert!(!help.trim().is_empty() && is_name(name), "{line}");
                described = name.to_owned();
            } else if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').expect("name and type");
                assert_eq!(name, described, "HELP stands before TYPE");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                assert!(metrics.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
                family = name.to_owned();
            } else {
                let (name, labels, value) = parse_sample(line);
                let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line} is in the family {family}"));
                let suffixes: &[_] =
                    if metrics.types[&family] == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(suffixes.contains(&suffix), "{line}");
                assert!(metrics.series.insert((name, labels), value).is_none(), "twice: {line}");
            }
        }
        metrics.check_histograms();
        metrics
    }

    #[track_caller]
    fn check_histograms(&self) {
        let mut buckets: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.series {
            if let Some(family) = name.strip_suffix("_bucket") {
                let mut labels = labels.clone();
                let bound = labels.remove("le").expect("a bound").parse().expect("a number");
                buckets.entry((family.to_owned(), labels)).or_default().push((bound, *value));
            }
        }
        for ((family, labels), mut buckets) in buckets {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by_key(|(_, count)| *count), "{family}{labels:?}: {buckets:?}");
            let of = |suffix| self.series[&(format!("{family}{suffix}"), labels.clone())];
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, of("_count"))), "{family}{labels:?}");
            assert_eq!(of("_sum") > 0.0, of("_count") > 0.0, "{family}{labels:?}");
        }
    }

    /// Returns the value of a series; 0 if there is none.
    fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.series.get(&(name.to_owned(), labels)).copied().unwrap_or_default()
    }

    fn requests(&self) -> BTreeMap<[String; 3], f64> {
        let counts = self.series.iter().filter(|((name, _), _)| *name == format!("{DURATIONS}_count"));
        counts
            .map(|((_, labels), count)| (["method", "route", "status"].map(|of| labels[of].clone()), *count))
            .collect()
    }

    fn logins(&self, outcome: &str) -> f64 {
        self.get("lanterne_logins_total", &[("outcome", outcome)])
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Parses `name{label="value"} 1.5`.
#[track_caller]
fn parse_sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, mut rest) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("a brace")),
        None => (series, ""),
    };
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"").expect("a label");
        let (mut value, mut chars) = (String::new(), quoted.chars());
        loop {
            match chars.next().expect("a quote") {
                '"' => break,
                '\\' => value.push(match chars.next() {
                    Some('n') => '\n',
                    Some(escaped @ ('\\' | '"')) => escaped,
                    other => panic!("{other:?} is escaped: {line}"),
                }),
                char => value.push(char),
            }
        }
        assert!(is_name(label) && labels.insert(label.to_owned(), value).is_none(), "{line}");
        rest = chars.as_str();
        if !rest.is_empty() {
            rest = rest.strip_prefix(',').expect("a comma");
        }
    }
    (name.to_owned(), labels, value.parse().unwrap_or_else(|error| panic!("{error}: {line}")))
}

fn with_metrics(project: Project) -> Project {
    project.flag("--metrics-listen").flag("127.0.0.1:0")
}

/// Sends a request to `address` and returns the reply.
fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it is taken");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply, and then the end");
    reply
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such endpoint")]
fn every_request_is_counted_once_under_its_route() {
    let app = TestApp::of(with_metrics(Project::migrated()));
    assert_eq!(Metrics::of(&app).requests(), BTreeMap::new());

    let account = app.register("user@example.com");
    let tokens = app.login(&account);
    app.try_login(&account.email, "wrong password 123").expect_status(401);
    app.try_login("nobody@example.com", PASSWORD).expect_status(401);
    app.post("/auth/log%69n").json(&json!({})).send().expect_status(422);
    for path in ["/secret-1", "/users/secret-2", &format!("/no/{}", account.email), "/healthz/"] {
        app.get(path).send();
    }
    for id in [7, 8] {
        app.request("DELETE", &format!("/users/me/sessions/{id}")).bearer(&tokens.access).send().expect_status(404);
    }
    let reply = exchange(app.address(), "PURGE /secret-3 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
    app.get(&format!("/users/me?token={}", tokens.access)).bearer(&tokens.access).send().expect_status(200);
    app.post("/auth/refresh").raw_body(vec![b'x'; 300 << 10]).send().expect_status(413);

    let metrics = Metrics::of(&app);
    let expected = [
        (["DELETE", "/users/me/sessions/{id}", "404"], 2.0),
        (["GET", "/users/me", "200"], 1.0),
        (["GET", "other", "307"], 1.0),
        (["GET", "other", "404"], 3.0),
        (["POST", "/auth/login", "200"], 1.0),
        (["POST", "/auth/login", "401"], 2.0),
        (["POST", "/auth/login", "422"], 1.0),
        (["POST", "/auth/refresh", "413"], 1.0),
        (["POST", "/auth/register", "201"], 1.0),
        (["other", "other", "404"], 1.0),
    ];
    assert_eq!(metrics.requests(), expected.map(|(labels, count)| (labels.map(str::to_owned), count)).into());
    let outcomes = ["success", "wrong_password", "invalid", "refused", "throttled", "failed", "abandoned"];
    assert_eq!(outcomes.map(|outcome| metrics.logins(outcome)), [1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0]);

    let text = app.metrics().expect("they are announced").send().text();
    let secrets = ["secret", "example.com", SECRET, PASSWORD, &tokens.access, &tokens.refresh, "127.0.0.1"];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such endpoint")]
fn storage_and_instances_are_measured() {
    let app = TestApp::of(with_metrics(Project::migrated()));
    let account = app.register("user@example.com");
    let before = Metrics::of(&app);
    let labels = [("component", "api"), ("database", "default"), ("kind", "commit")];
    let commits = before.get("lanterne_database_statement_duration_seconds_count", &labels);
    assert_eq!(commits, 1.0, "a registration is a transaction");
    let tokens = app.login(&account);
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
    let after = Metrics::of(&app);
    let moved = |name: &str, labels: &[(&str, &str)]| {
        let name = format!("{name}_count");
        after.get(&name, labels) - before.get(&name, labels)
    };
    let statements = |kind| {
        let labels = [("component", "api"), ("database", "default"), ("kind", kind)];
        moved("lanterne_database_statement_duration_seconds", &labels)
    };
    assert_eq!(statements("write"), 2.0, "a login counts its attempt, and opens the session");
    assert_eq!(statements("read"), 2.0, "it finds the account");
    let labels = [("component", "api"), ("database", "default")];
    assert_eq!(moved("lanterne_database_write_wait_seconds", &labels), 2.0);
    let operations = |operation| {
        let labels = [("component", "api"), ("operation", operation)];
        moved("lanterne_key_value_operation_duration_seconds", &labels)
    };
    assert_eq!(operations("get"), 2.0, "the pauses of account and address");

    let database = [("database", "default")];
    let size = |path: &str| std::fs::metadata(app.project().path(path)).map_or(0, |file| file.len()) as f64;
    assert_eq!(after.get("lanterne_database_size_bytes", &database), size("state/sqlite_db.db"));
    assert_eq!(after.get("lanterne_database_wal_size_bytes", &database), size("state/sqlite_db.db-wal"));
    assert!(after.get("lanterne_database_wal_size_bytes", &database) > 0.0);
    assert_eq!(after.get("lanterne_key_value_wal_size_bytes", &[]), size("state/sqlite_key_value.db-wal"));
    let instances = |metrics: &Metrics| {
        let labels = [("component", "api")];
        [metrics.get("lanterne_instances_idle", &labels), metrics.get("lanterne_instances_running", &labels)]
    };
    let mut states = (0..ATTEMPTS).map(|_| {
        sleep(Duration::from_millis(20));
        instances(&Metrics::of(&app))
    });
    assert!(states.any(|[idle, running]| idle >= 1.0 && running == 0.0), "instances become idle");
    assert!(after.get("process_resident_memory_bytes", &[]) > 1e6 && after.get("process_open_fds", &[]) > 8.0);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such endpoint")]
fn hashes_that_wait_and_run_are_counted_meanwhile() {
    const LOGINS: usize = 12;
    let project = Project::migrated().variable("bcrypt_cost", "15").variable("throttle", "off");
    let app = TestApp::of(with_metrics(project));
    let body = json!({"email": "nobody@example.com", "password": PASSWORD}).to_string();
    let head = "POST /auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let clients: Vec<_> = (0..LOGINS)
        .map(|_| {
            let mut stream = TcpStream::connect(app.address()).expect("it listens");
            stream.write_all(request.as_bytes()).expect("the server reads");
            stream
        })
        .collect();
    let state = || {
        let metrics = Metrics::of(&app);
        let of = |name| metrics.get(name, &[("component", "api")]) as usize;
        let abandoned = metrics.logins("abandoned") as usize;
        (of("lanterne_heavy_requests_waiting"), of("lanterne_heavy_requests_running"), abandoned)
    };
    let mut states = (0..ATTEMPTS).map(|_| {
        sleep(Duration::from_millis(10));
        state()
    });
    let seen = states.find(|(waiting, running, _)| waiting + running == LOGINS).expect("all of them at once");
    assert!(seen.0 > 0 && seen.1 > 0 && seen.2 == 0, "{seen:?}");
    drop(clients);
    assert!(states.any(|state| state == (0, 0, LOGINS)), "{:?}", state());
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such endpoint")]
fn only_get_and_head_of_the_metrics_are_answered() {
    let app = TestApp::of(with_metrics(Project::migrated()));
    let address = app.metrics_address();
    let reply = exchange(&address, "HEAD /metrics?x=1 HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.ends_with("\r\n\r\n"), "{reply}");
    for path in ["/", "/metrics/", "/healthz", "/metricsx"] {
        let reply = exchange(&address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
    }
    for method in ["POST", "DELETE", "OPTIONS"] {
        let reply = exchange(&address, &format!("{method} /metrics HTTP/1.1\r\nhost: x\r\n\r\n"));
        assert!(reply.starts_with("HTTP/1.1 405 ") && reply.contains("allow: GET, HEAD\r\n"), "{reply}");
    }
    assert!(exchange(&address, "no HTTP\r\n\r\n").starts_with("HTTP/1.1 400 "));
    app.get("/metrics").send().expect_status(404);
    // Clients that send nothing end after five seconds, and delay others until then.
    let idle: Vec<_> = (0..5).map(|_| TcpStream::connect(&address).expect("it listens")).collect();
    Metrics::of(&app);
    drop(idle);
    assert_eq!(app.stop(), Some(0));
    assert!(TcpStream::connect(address).is_err(), "it has ended");
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such endpoint")]
fn without_the_option_there_are_no_metrics() {
    let app = TestApp::start();
    assert!(app.metrics().is_none());
    app.get("/metrics").send().expect_status(404);
    let finished = app.finish();
    assert!(!finished.stdout.contains("Metrics"), "{finished:?}");
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such endpoint")]
fn an_address_for_metrics_that_cannot_be_used_is_explained() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).expect("an address");
    for (address, status, words) in [
        (
            taken.1.as_str(),
            1,
            "is in use, by --listen or by another program: choose another port with --metrics-listen",
        ),
        ("9464", 2, "--metrics-listen 9464: "),
        ("localhost:99999", 2, "must be ADDRESS:PORT, as in 127.0.0.1:9464"),
        ("192.0.2.1:9464", 1, "this machine has no address 192.0.2.1:9464"),
    ] {
        let project = Project::new().flag("--metrics-listen").flag(address);
        let finished = Finished::of(project.serve(Host::Lanterne, "127.0.0.1:0"));
        finished.failed(status, &[address, words]);
        assert!(!finished.stdout.contains("Listening"), "{finished:?}");
    }
}

/// Returns the names in a query of Prometheus, without the suffixes of histograms.
fn names(query: &str) -> BTreeSet<String> {
    let words = query.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let names = words.filter(|word| word.starts_with("lanterne_") || word.starts_with("process_"));
    let base = |name: &str| {
        let stripped = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        stripped.unwrap_or(name).to_owned()
    };
    names.map(base).collect()
}

/// Visits the queries of a dashboard.
fn queries<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        Value::Object(members) => {
            found.extend(members.get("expr").and_then(Value::as_str));
            found.extend(members.get("query").and_then(Value::as_str));
            members.values().for_each(|member| queries(member, found));
        }
        _ => {}
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such endpoint")]
fn the_dashboard_uses_exactly_the_names_that_are_exported() {
    let app = TestApp::of(with_metrics(Project::migrated()));
    app.get("/healthz").send().expect_status(200);
    let exported: BTreeSet<String> = Metrics::of(&app).types.into_keys().collect();
    let dashboard: Value = serde_json::from_str(include_str!("../deploy/grafana.json")).expect("JSON");
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    let used: BTreeSet<String> = found.into_iter().flat_map(names).collect();
    assert_eq!(used, exported);
}
