//! A copy of the app in a temporary folder: manifests, state and no `.env`.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::artifacts::{Host, root};
use super::database::Database;
use super::token::SECRET;

/// The environment variables passed on to the programs under test. A developer's SECRET_KEY or DATABASE_URL must not
/// change a result.
const KEPT: [&str; 6] = ["PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LANTERNE_CACHE_DIR"];

/// The path of the database in a project.
const DATABASE: &str = "state/sqlite_db.db";
/// The runtime configuration of Spin in a project.
const RUNTIME_CONFIG: &str = "runtime-config.toml";

/// A folder with both manifests, and the settings of the servers and commands started in it.
pub(crate) struct Project {
    folder: TempDir,
    is_migrated: bool,
    builds: bool,
    variables: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    flags: Vec<String>,
    /// Options of the shell's `ulimit`.
    limits: Vec<String>,
    has_runtime_config: bool,
}

impl Project {
    /// Creates a project with a valid secret, the lowest bcrypt cost and no database.
    pub(crate) fn new() -> Self {
        Self::empty().variable("secret_key", SECRET).variable("bcrypt_cost", "10")
    }

    /// Creates a project as [`Self::new`] does, with an empty database at the newest revision. The database is copied
    /// from one that the `migrate` component has built once for all tests; servers start without migrating.
    #[track_caller]
    pub(crate) fn migrated() -> Self {
        static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            let project = Self::new();
            project.run("migrate", &["upgrade", "head"]).succeeded();
            // The copy has no write-ahead log.
            project.db().rows("PRAGMA wal_checkpoint(TRUNCATE)", []);
            fs::read(project.path(DATABASE)).expect("it was just made")
        });
        let project = Self { is_migrated: true, ..Self::new() };
        let file = project.path(DATABASE);
        let folder = file.parent().expect("a file is in a folder");
        DirBuilder::new().mode(0o700).create(folder).expect("the folder can be written");
        fs::write(file, template).expect("the folder can be written");
        project
    }

    /// Creates a project without variables.
    pub(crate) fn empty() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for name in ["spin.toml", "spin.commands.toml"] {
            let manifest = fs::read_to_string(root().join(name)).expect("the manifest is in the root");
            let absolute = format!("source = \"{}/target/", root().display());
            let copy = manifest.replace("source = \"target/", &absolute);
            assert_ne!(copy, manifest, "{name}: the components are expected in target/");
            fs::write(folder.path().join(name), copy).expect("the folder can be written");
        }
        Self {
            folder,
            is_migrated: false,
            builds: false,
            variables: Vec::new(),
            environment: Vec::new(),
            flags: Vec::new(),
            limits: Vec::new(),
            has_runtime_config: false,
        }
    }

    /// Sets a variable with `--variable`.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a flag of `lanterne up`.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Sets a limit of programs with an option of the shell's `ulimit`, such as `-n 64`.
    pub(crate) fn limit(mut self, option: &str) -> Self {
        self.limits.push(option.to_owned());
        self
    }

    /// Gives Spin a runtime configuration.
    pub(crate) fn runtime_config(self, content: &str) -> Self {
        Self { has_runtime_config: true, ..self.file(RUNTIME_CONFIG, content) }
    }

    fn runtime_config_flags(&self) -> impl Iterator<Item = &str> {
        ["--runtime-config-file", RUNTIME_CONFIG].into_iter().filter(|_| self.has_runtime_config)
    }

    /// Writes a file into the folder.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        fs::write(self.path(name), content).expect("the folder can be written");
        self
    }

    /// Makes servers migrate, because the database of [`Self::migrated`] has been replaced.
    pub(crate) fn migrate_on_start(mut self) -> Self {
        self.is_migrated = false;
        self
    }

    /// Makes servers of `lanterne` build changed components.
    pub(crate) fn build_on_start(mut self) -> Self {
        self.builds = true;
        self
    }

    /// Whether servers start without migrating.
    pub(crate) fn is_migrated(&self) -> bool {
        self.is_migrated
    }

    /// The path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces `from` by `to` in a manifest.
    pub(crate) fn edit(self, name: &str, from: &str, to: &str) -> Self {
        let manifest = fs::read_to_string(self.path(name)).expect("a manifest");
        assert!(manifest.contains(from), "{name} has no {from:?}");
        self.file(name, &manifest.replace(from, to))
    }

    /// Opens the database.
    pub(crate) fn db(&self) -> Database {
        Database::open(&self.path(DATABASE))
    }

    /// Prepares the host program in this folder and environment.
    pub(crate) fn command(&self, host: Host) -> Command {
        let mut command = Command::new("sh");
        let limits: String = self.limits.iter().map(|option| format!("ulimit {option} && ")).collect();
        // A write beyond a limit of `-f` fails, instead of killing the program.
        command.args(["-c", &format!("trap '' XFSZ; {limits}exec \"$0\" \"$@\"")]).arg(host.program());
        command.current_dir(self.folder.path()).env_clear();
        command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Prepares a server: `lanterne up` or `spin up`.
    pub(crate) fn serve(&self, host: Host, listen: &str) -> Command {
        let mut command = self.command(host);
        command.arg("up");
        match host {
            Host::Lanterne => {
                command.args(self.is_migrated.then_some("--no-migrate"));
                command.args((!self.builds).then_some("--no-build"));
                command.arg("--from").arg(self.folder.path())
            }
            Host::Spin => command.arg("-f").arg(self.path("spin.toml")).args(self.runtime_config_flags()),
        };
        command.args(["--listen", listen, "--state-dir"]).arg(self.path("state"));
        command.args(variable_flags(&self.variables)).args(&self.flags);
        command
    }

    /// Runs the command component `name` with arguments to its end.
    pub(crate) fn run(&self, name: &str, words: &[&str]) -> Finished {
        self.finish(name, self.component(name, words))
    }

    /// Runs a command that was prepared with [`Self::component`] to its end.
    pub(crate) fn finish(&self, name: &str, mut command: Command) -> Finished {
        if let Host::Lanterne = Host::under_test() {
            return Finished::of(command);
        }
        // Spin writes what a component prints to a file, and repeats it on its own standard error.
        let logs = TempDir::new_in(self.folder.path()).expect("the folder can be written");
        command.env("SPIN_LOG_DIR", logs.path());
        let finished = Finished::of(command);
        let stdout = fs::read_to_string(logs.path().join(format!("{name}_stdout.txt"))).unwrap_or_default();
        Finished { stdout, ..finished }
    }

    /// Prepares the command component `name`.
    pub(crate) fn component(&self, name: &str, words: &[&str]) -> Command {
        let host = Host::under_test();
        let mut command = self.command(host);
        // Spin rejects undeclared variables.
        let manifest = fs::read_to_string(self.path("spin.commands.toml")).expect("a manifest");
        let is_declared = |name: &str| manifest.contains(&format!("\n{name} = {{ default"));
        let variables: Vec<_> = self.variables.iter().filter(|(name, _)| is_declared(name)).cloned().collect();
        match host {
            Host::Lanterne => {
                command.args([name, "--no-build", "--from"]).arg(self.folder.path());
                command.arg("--state-dir").arg(self.path("state")).args(variable_flags(&variables)).args(words);
            }
            Host::Spin => {
                command.args(["up", "-f"]).arg(self.path("spin.commands.toml"));
                command.args(["-c", name, "--state-dir"]).arg(self.path("state")).args(self.runtime_config_flags());
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

/// The result of a program.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit status; `None` if a signal ended the program.
    pub(crate) status: Option<i32>,
    /// The whole standard output.
    pub(crate) stdout: String,
    /// The whole standard error.
    pub(crate) stderr: String,
}

impl Finished {
    /// Runs `command` to its end.
    pub(crate) fn of(mut command: Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { status: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Asserts success and returns the standard output.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.status, Some(0), "{self:#?}");
        self.stdout
    }

    /// Asserts an exit status, all of `words` on standard error, and no panic.
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
