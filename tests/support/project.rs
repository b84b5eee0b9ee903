//! A copy of the app in a folder of its own: manifests, state, and nobody's `.env`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::artifacts::{Host, root};
use super::database::Database;
use super::token::SECRET;

/// What the programs under test keep of our environment. Everything else stays away from them: a developer's SECRET_KEY
/// or DATABASE_URL must not decide about a test.
const KEPT: [&str; 6] = ["PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LANTERNE_CACHE_DIR"];

/// A folder with the two manifests and what the servers and commands started in it are given.
pub(crate) struct Project {
    folder: TempDir,
    variables: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    flags: Vec<String>,
}

impl Project {
    /// With a good secret, the cheapest hashes, and a database that does not exist yet.
    pub(crate) fn new() -> Self {
        Self::empty().variable("secret_key", SECRET).variable("bcrypt_cost", "10")
    }

    /// With no variable set.
    pub(crate) fn empty() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for name in ["spin.toml", "spin.commands.toml"] {
            let manifest = fs::read_to_string(root().join(name)).expect("the manifest is in the root");
            let absolute = format!("source = \"{}/target/", root().display());
            let copy = manifest.replace("source = \"target/", &absolute);
            assert_ne!(copy, manifest, "{name}: the components are expected in target/");
            fs::write(folder.path().join(name), copy).expect("the folder can be written");
        }
        Self { folder, variables: Vec::new(), environment: Vec::new(), flags: Vec::new() }
    }

    /// Sets a variable as `--variable` does.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a flag of `lanterne up`.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Writes a file into the folder.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        fs::write(self.path(name), content).expect("the folder can be written");
        self
    }

    /// The path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a piece of a manifest.
    pub(crate) fn edit(self, name: &str, from: &str, to: &str) -> Self {
        let manifest = fs::read_to_string(self.path(name)).expect("a manifest");
        assert!(manifest.contains(from), "{name} has no {from:?}");
        self.file(name, &manifest.replace(from, to))
    }

    /// The database where a host puts it.
    pub(crate) fn db(&self) -> Database {
        Database::open(&self.path("state/sqlite_db.db"))
    }

    /// `host ARGUMENTS`, not started yet, in the folder and with the environment of this project.
    pub(crate) fn command(&self, host: Host) -> Command {
        let mut command = Command::new(host.program());
        command.current_dir(self.folder.path()).env_clear();
        command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The server: `lanterne up` or `spin up`.
    pub(crate) fn serve(&self, host: Host, listen: &str) -> Command {
        let mut command = self.command(host);
        command.arg("up");
        match host {
            Host::Lanterne => command.arg("--no-build").arg("--from").arg(self.folder.path()),
            Host::Spin => command.arg("-f").arg(self.path("spin.toml")),
        };
        command.args(["--listen", listen, "--state-dir"]).arg(self.path("state"));
        command.args(variable_flags(&self.variables)).args(&self.flags);
        command
    }

    /// Runs the command component `name` with `words` to its end.
    pub(crate) fn run(&self, name: &str, words: &[&str]) -> Finished {
        Finished::of(self.component(name, words))
    }

    /// `migrate`, `seed` or `prune`, not started yet.
    pub(crate) fn component(&self, name: &str, words: &[&str]) -> Command {
        let host = Host::under_test();
        let mut command = self.command(host);
        // Spin refuses variables that a manifest does not declare, and the commands have but these.
        let is_declared = |name: &str| matches!(name, "bcrypt_cost" | "lanterne_env");
        let variables: Vec<_> = self.variables.iter().filter(|(name, _)| is_declared(name)).cloned().collect();
        match host {
            Host::Lanterne => {
                command.args([name, "--no-build", "--from"]).arg(self.folder.path());
                command.arg("--state-dir").arg(self.path("state")).args(variable_flags(&variables)).args(words);
            }
            Host::Spin => {
                command.args(["up", "-f"]).arg(self.path("spin.commands.toml"));
                command.args(["-c", name, "--state-dir"]).arg(self.path("state"));
                command.args(variable_flags(&variables)).arg("--").args(words);
            }
        }
        command
    }
}

fn variable_flags(variables: &[(String, String)]) -> Vec<String> {
    let flag = |(name, value): &(String, String)| ["--variable".to_owned(), format!("{name}={value}")];
    variables.iter().flat_map(flag).collect()
}

/// What a program said until its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit status; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    /// Everything on its standard output.
    pub(crate) stdout: String,
    /// Everything on its standard error.
    pub(crate) stderr: String,
}

impl Finished {
    /// Runs `command` to its end.
    pub(crate) fn of(mut command: Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { status: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Fails the test unless it succeeded; returns what it printed.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.status, Some(0), "{self:#?}");
        self.stdout
    }

    /// Fails the test unless it failed with `status` and all of `words` on its standard error, and no panic.
    #[track_caller]
    pub(crate) fn failed(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self:#?}");
        }
        for word in ["panicked", "backtrace", "RUST_BACKTRACE"] {
            assert!(!self.stderr.contains(word), "{self:#?}");
        }
    }
}
