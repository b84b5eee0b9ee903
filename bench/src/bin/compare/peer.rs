//! The servers that are compared: how each is prepared and started.

use std::env;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bench::client::Client;
use bench::release::{DATABASE, Release, SECRET, profile, root, sibling};
use bench::server::Server;
use clap::ValueEnum;
use tempfile::TempDir;

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A server to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    /// The components in `lanterne`.
    Lanterne,
    /// The components in Spin.
    Spin,
    /// `bench/peers/fastapi`
    Fastapi,
    /// `bench/peers/native`
    Native,
}

/// A running server with an empty database.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) database: PathBuf,
    /// The time from the start of the process to its first reply.
    pub(crate) start: Duration,
    _dir: TempDir,
}

impl Peer {
    pub(crate) const ALL: [Self; 4] = [Self::Fastapi, Self::Lanterne, Self::Spin, Self::Native];

    /// The name in results.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Lanterne => "lanterne",
            Self::Spin => "Spin",
            Self::Fastapi => "FastAPI",
            Self::Native => "native Rust",
        }
    }

    /// Builds or installs the server. `false` if this machine lacks what it needs, which is said.
    pub(crate) fn prepare(self) -> Result<bool> {
        match self {
            Self::Lanterne => run(cargo("run")?.args(["--package", "lanterne", "--", "build"]))?,
            Self::Native => run(cargo("build")?.args(["--package", "lanterne-native-peer"]))?,
            Self::Spin if !is_program("spin") => {
                eprintln!("Spin is skipped: there is no `spin` on PATH");
                return Ok(false);
            }
            Self::Fastapi if !is_program("python3") => {
                eprintln!("FastAPI is skipped: there is no `python3` on PATH");
                return Ok(false);
            }
            Self::Spin => {}
            Self::Fastapi => {
                let venv = venv();
                if !venv.exists() {
                    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
                }
                let requirements = root().join("bench/peers/fastapi/requirements.txt");
                let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
                run(Command::new(venv.join("bin/python")).args(pip).arg(requirements))?;
            }
        }
        Ok(true)
    }

    /// Starts the server on an empty database, and waits for its first reply.
    pub(crate) fn start(self, fastapi_workers: u32) -> Result<Running> {
        // Beside the build, not in /tmp, which may be in memory: a commit waits for the disk.
        let dir = tempfile::tempdir_in(root().join("target"))?;
        // `lanterne` and Spin choose this name.
        let database = dir.path().join(DATABASE);
        let state = dir.path().join("state");
        fs::create_dir(&state)?;
        // Another program may take the port before the server does. Then the benchmark fails.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        if self == Self::Spin {
            let mut migrate = Command::new(sibling("lanterne")?);
            migrate.args(["migrate", "--no-build", "--quiet", "-f"]).arg(root()).arg("--state-dir").arg(&state);
            run(migrate.args(["upgrade", "head"]))?;
        }
        let log = File::create(dir.path().join("server.log"))?;
        let mut command = self.command(dir.path(), &database, address, fastapi_workers)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let start = Instant::now();
        let mut server = Server::spawn(&mut command, address)?;
        while !Client::new(address).get("/healthz", None).is_ok_and(|reply| reply.status == 200) {
            if let Some(status) = server.exit_status()? {
                let log = fs::read_to_string(dir.path().join("server.log"))?;
                bail!("{}: {status}\n{log}", self.title());
            }
            ensure!(start.elapsed() < START_TIMEOUT, "{} does not start", self.title());
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Running { server, database, start: start.elapsed(), _dir: dir })
    }

    /// Each server logs a line per request, as it does by default, except the native one, which has no log.
    fn command(self, dir: &Path, database: &Path, address: SocketAddr, fastapi_workers: u32) -> Result<Command> {
        let listen = address.to_string();
        let mut command;
        match self {
            Self::Lanterne => {
                command = Release::find()?.up(dir, address, "")?;
                command.args(["--variable", "throttle=off"]);
            }
            Self::Spin => {
                command = Command::new("spin");
                command.args(["up", "--listen", &listen, "-f"]).arg(root()).arg("--state-dir").arg(dir.join("state"));
                command.env("SPIN_VARIABLE_SECRET_KEY", SECRET).env("SPIN_VARIABLE_THROTTLE", "off");
            }
            Self::Fastapi => {
                command = Command::new(venv().join("bin/uvicorn"));
                command.arg("app:app").arg("--app-dir").arg(root().join("bench/peers/fastapi"));
                command.args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
                command.args(["--workers", &fastapi_workers.to_string()]);
                command.env("DATABASE_URL", format!("sqlite:///{}", database.display()));
                command.env("PYTHONDONTWRITEBYTECODE", "1").env("SECRET_KEY", SECRET);
            }
            Self::Native => {
                command = Command::new(sibling("lanterne-native-peer")?);
                command.arg(listen).arg(database).env("SECRET_KEY", SECRET);
            }
        }
        Ok(command)
    }
}

/// Returns the time of one hash of cost 12 by the C library, the best of five; `None` without the FastAPI server.
pub(crate) fn hash_time() -> Option<Duration> {
    let script = "import bcrypt, time
def hash():
    start = time.perf_counter()
    bcrypt.hashpw(b'a password', bcrypt.gensalt(12))
    return time.perf_counter() - start
print(min(hash() for _ in range(5)))";
    let output = Command::new(venv().join("bin/python")).args(["-c", script]).output().ok()?;
    let seconds = String::from_utf8_lossy(&output.stdout).trim().parse().ok()?;
    Some(Duration::from_secs_f64(seconds))
}

fn venv() -> PathBuf {
    root().join("target/bench-venv")
}

/// Prepares a cargo command that builds with the profile of this program.
fn cargo(subcommand: &str) -> Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args([subcommand, "--profile", &profile()?]);
    Ok(command)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

fn is_program(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(name).is_file()))
}
