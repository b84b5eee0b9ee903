//! The release build of `lanterne`, which serves the release build of the components.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

const MANIFESTS: [&str; 2] = ["spin.toml", "spin.commands.toml"];
const COMPONENTS: [&str; 4] = ["api", "migrate", "seed", "prune"];
/// The environment of servers. A developer's DATABASE_URL or SECRET_KEY must not reach them.
const ENVIRONMENT: [&str; 4] = ["PATH", "HOME", "XDG_CACHE_HOME", "LANTERNE_CACHE_DIR"];
const SECRET: &str = "a secret for measurements, not for use";

/// The programs and components to run.
pub struct Release {
    root: PathBuf,
    program: PathBuf,
}

impl Release {
    /// Finds the build beside the running program.
    ///
    /// # Errors
    /// A part of it is missing.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("bench/ is in the root")?.to_owned();
        let program = env::current_exe()?.with_file_name("lanterne");
        let components = COMPONENTS.map(|name| root.join(format!("target/wasm32-wasip2/release/{name}.wasm")));
        for file in [&program].into_iter().chain(&components) {
            ensure!(file.is_file(), "{} is missing: run `cargo lanterne build` first", file.display());
        }
        Ok(Self { root, program })
    }

    /// Prepares `lanterne up` on a free port, with manifests, state and database in `folder`. The shell runs `prelude`
    /// first, for example `ulimit -n 64;`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn up(&self, folder: &Path, prelude: &str) -> Result<Command> {
        for name in MANIFESTS {
            let manifest = fs::read_to_string(self.root.join(name)).with_context(|| name.to_owned())?;
            let target = format!("source = \"{}/target/", self.root.display());
            fs::write(folder.join(name), manifest.replace("source = \"target/", &target))?;
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{prelude} exec \"$0\" \"$@\"")]).arg(&self.program);
        command.args(["up", "--no-build", "--listen", "127.0.0.1:0", "--from"]).arg(folder);
        command.arg("--state-dir").arg(folder.join("state")).args(["--variable", &format!("secret_key={SECRET}")]);
        command.current_dir(folder).env_clear().stdin(Stdio::null());
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        Ok(command)
    }
}
