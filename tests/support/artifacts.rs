//! The programs under test, built once for all tests: the host and the components.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

/// The program that runs the components.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// The release build of this project's host.
    Lanterne,
    /// `spin` on the PATH.
    Spin,
}

impl Host {
    /// The host named by the environment variable `LANTERNE_TEST_HOST`; `lanterne` by default.
    pub(crate) fn under_test() -> Self {
        match env::var("LANTERNE_TEST_HOST").as_deref() {
            Err(_) | Ok("" | "lanterne") => Self::Lanterne,
            Ok("spin") => Self::Spin,
            Ok(other) => panic!("LANTERNE_TEST_HOST is {other:?}; allowed: lanterne or spin"),
        }
    }

    /// The exit status of a command component called with wrong arguments. Spin reports every failure as 1.
    pub(crate) fn usage_status(self) -> i32 {
        match self {
            Self::Lanterne => 2,
            Self::Spin => 1,
        }
    }

    /// The path of the host program. Builds it and the components on first use.
    pub(crate) fn program(self) -> PathBuf {
        static BUILT: OnceLock<()> = OnceLock::new();
        BUILT.get_or_init(|| build(self));
        match self {
            Self::Lanterne => lanterne(),
            Self::Spin => PathBuf::from("spin"),
        }
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root")
}

fn lanterne() -> PathBuf {
    root().join("target/release/lanterne")
}

/// Builds with cargo's output on standard error: the first build takes minutes and should show progress.
fn build(host: Host) {
    let cargo = || {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root()).args(["build", "--release", "--target-dir"]).arg(root().join("target"));
        // What cargo sets for this test makes build scripts run again that read variables of these names, such as ring's, and
        // with them the host is built anew.
        let of_test = |name: &OsString| {
            let name = name.to_string_lossy();
            name == "OUT_DIR" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        };
        for (name, _) in env::vars_os().filter(|(name, _)| of_test(name)) {
            cargo.env_remove(name);
        }
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

/// `--package` arguments for every component, read from the build commands of the manifests.
fn packages() -> Vec<String> {
    let manifests = ["spin.toml", "spin.commands.toml"];
    let texts = manifests.map(|name| fs::read_to_string(root().join(name)).expect("the manifest is in the root"));
    let commands = texts.iter().flat_map(|text| text.split("--package ").skip(1));
    let names = commands.filter_map(|rest| rest.split(['"', ' ']).next());
    names.flat_map(|name| ["--package".to_owned(), name.to_owned()]).collect()
}

fn run(command: &mut Command) {
    // `status` lets the child inherit stderr, which libtest does not capture.
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
