//! What is under test: the host program and the components, built once for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

/// The program that runs the components.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// This project's own, from the release build.
    Lanterne,
    /// The one on the PATH.
    Spin,
}

impl Host {
    /// The one that the environment variable `LANTERNE_TEST_HOST` names.
    pub(crate) fn under_test() -> Self {
        match env::var("LANTERNE_TEST_HOST").as_deref() {
            Err(_) | Ok("" | "lanterne") => Self::Lanterne,
            Ok("spin") => Self::Spin,
            Ok(other) => panic!("LANTERNE_TEST_HOST is {other:?}; allowed: lanterne or spin"),
        }
    }

    /// The exit status with which a component's complaint about its words comes out. Spin has one for all failures.
    pub(crate) fn usage_status(self) -> i32 {
        match self {
            Self::Lanterne => 2,
            Self::Spin => 1,
        }
    }

    /// The program, with the components built.
    pub(crate) fn program(self) -> PathBuf {
        static BUILT: OnceLock<()> = OnceLock::new();
        BUILT.get_or_init(|| build(self));
        match self {
            Self::Lanterne => lanterne(),
            Self::Spin => PathBuf::from("spin"),
        }
    }
}

/// Whether the test may go on; on another host it says why not. Ask it first.
#[must_use]
pub(crate) fn only_on_lanterne(reason: &str) -> bool {
    let on_lanterne = Host::under_test() == Host::Lanterne;
    if !on_lanterne {
        eprintln!("skipped on this host: {reason}");
    }
    on_lanterne
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root")
}

fn lanterne() -> PathBuf {
    root().join("target/release/lanterne")
}

/// Builds with the output on our own stderr: the first time this takes minutes, and should be seen to go on.
fn build(host: Host) {
    let cargo = || {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root()).args(["build", "--release", "--target-dir"]).arg(root().join("target"));
        cargo
    };
    match host {
        Host::Lanterne => {
            run(cargo().args(["--package", "lanterne"]));
            run(Command::new(lanterne()).args(["build", "--from"]).arg(root().join("spin.toml")));
        }
        Host::Spin => run(cargo().args(["--target", "wasm32-wasip2"]).args(packages())),
    }
    run(cargo().args(["--target", "wasm32-wasip2", "--package", "lanterne-faulty"]));
}

/// The packages that the components are built from, as the manifests say.
fn packages() -> Vec<String> {
    let manifests = ["spin.toml", "spin.commands.toml"];
    let texts = manifests.map(|name| fs::read_to_string(root().join(name)).expect("the manifest is in the root"));
    let commands = texts.iter().flat_map(|text| text.split("--package ").skip(1));
    let names = commands.filter_map(|rest| rest.split(['"', ' ']).next());
    names.flat_map(|name| ["--package".to_owned(), name.to_owned()]).collect()
}

fn run(command: &mut Command) {
    // Not where libtest would hide it: stdout of a child is ours, too.
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
