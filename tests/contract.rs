//! The contract with the clients of the Python server, which this one replaces: its recorded answers, step by step.
//!
//! `contract/*.json` are lists of scenarios. Each scenario has its own server and empty database, with the secret of the
//! tests, the scenario's `variables`, and the seeded accounts if it is `seeded`. A step that fails does not end its
//! scenario; every failed step is reported.
//!
//! | step | meaning |
//! | --- | --- |
//! | `"NAME"` | the step of that name in `shared.json` |
//! | `{"each": [{VARIABLES}...], "steps": [...]}` | the steps, once for each row of variables |
//! | `{"request": "METHOD /path", "headers", "json" or "text" or "base64", "expect", "keep"}` | one request |
//! | `{"request", "json", "statuses": {"200": 1, "401": 5}}` | simultaneous requests, and the number of each status |
//! | `{"raw", "expect"}` | bytes sent on one connection, which the server closes |
//! | `{"sql", "changes": 1}`, `{"sql", "rows": [[...]]}` | a statement, and its number of changed rows or its result |
//! | `{"mint": NAME, "from": TOKEN, "change": {CLAIMS}}` | a copy of a token with other claims, kept as a variable |
//! | `{"mint": NAME, "from": TOKEN, "payload": TEXT}` | a copy of a token with another payload, likewise |
//! | `{"token", "claims"}` | a token signed with the secret, and exactly its claims |
//! | `{"differ": [A, B]}` | two values that must not be equal |
//!
//! `expect` is `{"status", "headers", "json" or "text"}`, or the name of a reply in `shared.json`, or `{"reply": NAME}`
//! with the reply's variables and further headers. A header that is `null` is not sent, or must be absent; `json` implies
//! `content-type: application/json`. `keep` sets variables from the reply's body by JSON pointer (RFC 6901).
//! `fill.rs` describes how variables are used, and `matching.rs` what may stand in place of an expected value.

mod fill;
mod matching;
mod player;
mod scenario;

use std::fs;

use serde_json::Value;

use self::player::Player;
use self::scenario::{folder, scenarios};
use crate::support::{Project, TestApp};

/// The number of steps: the 586 that were recorded, without two that compared the time of logins and two that cleaned
/// up the database which the recorded scenarios shared.
const STEPS: usize = 582;

/// Declares one test for each file, so that the files are played in parallel.
macro_rules! files {
    ($($(#[$attribute:meta])* $name:ident)*) => {
        const FILES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            $(#[$attribute])*
            fn $name() {
                play(stringify!($name));
            }
        )*
    };
}

files! {
    bodies
    claims
    cors
    database
    docs
    emails
    #[cfg_attr(spin_host, ignore = "Spin refuses requests without Host")]
    framing
    health
    login
    #[cfg_attr(spin_host, ignore = "hosts refuse malformed requests before the component sees them")]
    malformed
    races
    refresh
    register
    routing
}

#[test]
fn added() {
    play("added");
}

#[test]
fn every_recorded_step_is_played() {
    let files = fs::read_dir(folder()).expect("the folder exists").map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let names = files.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| !["shared", "added"].contains(&name.as_str())).collect();
    names.sort();
    assert_eq!(names, FILES);
    let steps = FILES.iter().flat_map(|name| scenarios(name)).flat_map(|scenario| scenario.steps);
    assert_eq!(steps.map(|step| count(&step)).sum::<usize>(), STEPS);
}

/// The number of steps that `step` stands for.
fn count(step: &Value) -> usize {
    let list = |name| step.get(name).and_then(Value::as_array);
    let steps = list("steps").map_or(1, |steps| steps.iter().map(count).sum());
    list("each").map_or(1, Vec::len) * steps
}

/// Plays the scenarios of a file and reports every failed step.
fn play(name: &str) {
    let mut failures = Vec::new();
    for scenario in scenarios(name) {
        let set = |project: Project, (name, value): (&String, &String)| project.variable(name, value);
        let project = scenario.variables.iter().fold(Project::migrated(), set);
        if scenario.seeded {
            project.run("seed", &[]).succeeded();
        }
        let mut player = Player::new(&scenario.scenario, TestApp::of(project));
        scenario.steps.iter().for_each(|step| player.play(step));
        failures.extend(player.failures);
    }
    assert!(failures.is_empty(), "{} steps failed\n\n{}\n", failures.len(), failures.join("\n\n"));
}
