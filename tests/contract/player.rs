//! Plays the steps of one scenario against its server.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fill::{Variables, fill};
use super::matching::{check, check_any};
use super::scenario::{Expected, Headers, Mint, Request, Step, shared};
use crate::support::{Reply, SECRET, TestApp, claims, header, mint, signature};

pub(super) struct Player<'a> {
    scenario: &'a str,
    app: TestApp,
    variables: Variables,
    played: usize,
    /// Scenario, number and text of each failed step, what was expected and what was found.
    pub(super) failures: Vec<String>,
}

impl<'a> Player<'a> {
    pub(super) fn new(scenario: &'a str, app: TestApp) -> Self {
        let variables = Variables::from([("address".to_owned(), json!(app.address()))]);
        Self { scenario, app, variables, played: 0, failures: Vec::new() }
    }

    pub(super) fn play(&mut self, step: &Value) {
        if let Some(name) = step.as_str() {
            return self.play(&shared().steps[name]);
        }
        if let Some(rows) = step["each"].as_array() {
            return self.play_each(rows, step["steps"].as_array().expect("steps to repeat"));
        }
        self.played += 1;
        if let Err(difference) = fill(step, &self.variables).and_then(|step| self.perform(step)) {
            let step = fill(step, &self.variables).unwrap_or_else(|_| step.clone());
            let note = self.variables.get("note").map(|note| format!(" ({note})")).unwrap_or_default();
            let (scenario, number, step) = (self.scenario, self.played, shortened(&step.to_string()));
            self.failures.push(format!("{scenario}, step {number}{note}: {step}\n  {difference}"));
        }
    }

    fn play_each(&mut self, rows: &[Value], steps: &[Value]) {
        for row in rows {
            let outer = self.variables.clone();
            for (name, value) in row.as_object().expect("a row of variables") {
                let value = fill(value, &outer).unwrap_or_else(|error| panic!("{row}: {error}"));
                self.variables.insert(name.clone(), value);
            }
            steps.iter().for_each(|step| self.play(step));
            self.variables = outer;
        }
    }

    /// Performs a step whose variables are filled in.
    ///
    /// # Errors
    /// What was expected and what was found.
    fn perform(&mut self, step: Value) -> Result<(), String> {
        match serde_json::from_value(step).map_err(|error| error.to_string())? {
            Step::Request(request) => self.request(request),
            Step::Parallel { request, json, statuses } => self.parallel(&request, &json, &statuses),
            Step::Raw { raw, expect } => self.expect(&expect, &self.raw(&raw)),
            Step::Change { sql, changes } => check(&json!(changes), &json!(self.app.db().execute(&sql, [])), "changes"),
            Step::Query { sql, rows } => check(&rows, &self.app.db().rows(&sql, []), "rows"),
            Step::Mint(mint) => {
                self.mint(mint);
                Ok(())
            }
            Step::Token { token, claims } => check_token(&token, &claims),
            Step::Differ { differ: (a, b) } if a == b => Err(format!("expected two values, got {a} twice")),
            Step::Differ { .. } => Ok(()),
        }
    }

    fn request(&mut self, step: Request) -> Result<(), String> {
        let (method, path) = step.request.split_once(' ').expect("method and path");
        let mut request = self.app.request(method, path);
        for (name, value) in &step.headers {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let bytes = step.base64.map(|text| STANDARD.decode(text).expect("Base64"));
        let request = match (step.json, step.text.map(String::into_bytes).or(bytes)) {
            (Some(json), _) => request.json(&json),
            (None, Some(bytes)) => request.raw_body(bytes),
            (None, None) => request,
        };
        let reply = request.send();
        self.expect(&step.expect, &reply)?;
        for (name, pointer) in step.keep {
            let value = reply.json().pointer(&pointer).cloned().ok_or(format!("expected {pointer}, got {reply}"))?;
            self.variables.insert(name, value);
        }
        Ok(())
    }

    fn parallel(&self, request: &str, json: &Value, statuses: &BTreeMap<String, usize>) -> Result<(), String> {
        let (method, path) = request.split_once(' ').expect("method and path");
        let send = || self.app.request(method, path).json(json).send().status();
        let got: Vec<u16> = thread::scope(|scope| {
            let clients: Vec<_> = (0..statuses.values().sum()).map(|_| scope.spawn(send)).collect();
            clients.into_iter().map(|client| client.join().expect("a reply")).collect()
        });
        let mut counts = BTreeMap::new();
        for status in got {
            *counts.entry(status.to_string()).or_insert(0) += 1;
        }
        check(&json!(statuses), &json!(counts), "statuses")
    }

    fn raw(&self, request: &str) -> Reply {
        let mut stream = TcpStream::connect(self.app.address()).expect("the server listens");
        let mut bytes = Vec::new();
        // A server may refuse a request without reading all of it, and reset the connection.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read_to_end(&mut bytes);
        Reply::parse(&bytes)
    }

    fn mint(&mut self, step: Mint) {
        let mut claims = claims(&step.from);
        let members = claims.as_object_mut().expect("claims");
        members.extend(step.change);
        members.retain(|_, value| value != "<absent>");
        let payload = step.payload.unwrap_or_else(|| claims.to_string());
        self.variables.insert(step.mint, json!(mint(SECRET, &header(&step.from), payload)));
    }

    fn expect(&self, expect: &Value, reply: &Reply) -> Result<(), String> {
        let expected = self.expected(expect)?;
        check_reply(&expected, reply).map_err(|difference| format!("{difference}\n  {}", shortened(&reply.to_string())))
    }

    /// Looks up a reply that is given by its name.
    fn expected(&self, expect: &Value) -> Result<Expected, String> {
        let Some(name) = expect.as_str().or_else(|| expect["reply"].as_str()) else {
            return serde_json::from_value(expect.clone()).map_err(|error| error.to_string());
        };
        let mut variables = self.variables.clone();
        variables.extend(expect.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        let reply = shared().replies.get(name).ok_or(format!("there is no reply {name:?}"))?;
        let reply = fill(reply, &variables)?;
        let mut expected: Expected = serde_json::from_value(reply).map_err(|error| error.to_string())?;
        if let Some(headers) = expect.get("headers") {
            let headers: Headers = serde_json::from_value(headers.clone()).map_err(|error| error.to_string())?;
            expected.headers.extend(headers);
        }
        Ok(expected)
    }
}

fn check_reply(expected: &Expected, reply: &Reply) -> Result<(), String> {
    check_any(&expected.status, &json!(reply.status()), "status")?;
    for (name, want) in &expected.headers {
        let (want, got) = (want.as_deref(), reply.header(name));
        if sorted(want) != sorted(got) {
            return Err(format!("{name}: expected {want:?}, got {got:?}"));
        }
    }
    if let Some(text) = &expected.text {
        return check(text, &json!(reply.text()), "body");
    }
    let Some(json) = &expected.json else { return Ok(()) };
    check(&json!("application/json"), &json!(reply.header("content-type")), "content-type")?;
    check(json, &reply.json(), "body")
}

/// The items of a header's list, whose order has no meaning.
fn sorted(value: Option<&str>) -> Option<Vec<&str>> {
    let mut items: Vec<_> = value?.split(',').map(str::trim).collect();
    items.sort_unstable();
    Some(items)
}

fn check_token(token: &str, expected: &Value) -> Result<(), String> {
    check(&json!({"alg": "HS256", "typ": "JWT"}), &header(token), "header")?;
    check(expected, &claims(token), "claims")?;
    let (signed, tag) = token.rsplit_once('.').expect("three parts");
    check(&json!(signature(SECRET, signed)), &json!(tag), "signature")
}

fn shortened(text: &str) -> String {
    const LENGTH_MAX: usize = 600;
    match text.char_indices().nth(LENGTH_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
