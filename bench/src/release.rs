//! The build of `lanterne` with the same cargo profile as the running program. It serves the release build of the components.

use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// The secret of servers.
pub const SECRET: &str = "a secret for measurements, not for use";
/// An address of this machine with a port that the system chooses.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Where [`Release::up`] lets a server keep its database, below its folder.
pub const DATABASE: &str = "state/sqlite_db.db";
const MANIFESTS: [&str; 2] = ["spin.toml", "spin.commands.toml"];
const COMPONENTS: [&str; 4] = ["api", "migrate", "seed", "prune"];
/// The environment of servers. A developer's DATABASE_URL or SECRET_KEY must not reach them.
const ENVIRONMENT: [&str; 4] = ["PATH", "HOME", "XDG_CACHE_HOME", "LANTERNE_CACHE_DIR"];

/// The program, whose components exist.
pub struct Release {
    program: PathBuf,
}

/// Returns the root of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Returns the path of another program built with the same cargo profile as the running one.
///
/// # Errors
/// The path of the running program is unknown.
pub fn sibling(name: &str) -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}

/// Returns the cargo profile that the running program was built with, such as `release` or `dist`.
///
/// # Errors
/// It is a debug build, or its path is unknown.
pub fn profile() -> Result<String> {
    let program = env::current_exe()?;
    // Cargo names the directory after the profile.
    let profile = program.parent().and_then(Path::file_name).context("the program is in no directory")?;
    ensure!(profile != "debug", "measure an optimized build: `cargo run --profile dist -p lanterne-bench`");
    Ok(profile.to_string_lossy().into_owned())
}

impl Release {
    /// Finds the build beside the running program.
    ///
    /// # Errors
    /// A part of it is missing.
    pub fn find() -> Result<Self> {
        let program = sibling("lanterne")?;
        let components = COMPONENTS.map(|name| root().join(format!("target/wasm32-wasip2/release/{name}.wasm")));
        for file in [&program].into_iter().chain(&components) {
            ensure!(
                file.is_file(),
                "{} is missing: run `cargo run --profile {} -p lanterne -- build` first",
                file.display(),
                profile()?
            );
        }
        Ok(Self { program })
    }

    /// Prepares `lanterne up`, with manifests, state and database in `folder`. The shell runs `prelude` first, for example
    /// `ulimit -n 64;`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn up(&self, folder: &Path, listen: SocketAddr, prelude: &str) -> Result<Command> {
        for name in MANIFESTS {
            let manifest = fs::read_to_string(root().join(name)).with_context(|| name.to_owned())?;
            let target = format!("source = \"{}/target/", root().display());
            fs::write(folder.join(name), manifest.replace("source = \"target/", &target))?;
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{prelude} exec \"$0\" \"$@\"")]).arg(&self.program);
        command.args(["up", "--no-build", "--listen", &listen.to_string(), "--from"]).arg(folder);
        command.arg("--state-dir").arg(folder.join("state")).args(["--variable", &format!("secret_key={SECRET}")]);
        command.current_dir(folder).env_clear().stdin(Stdio::null());
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        Ok(command)
    }
}
