//! The parts of a Spin manifest (version 2) that this host acts on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// A manifest as it is written.
#[derive(Deserialize)]
pub struct Manifest {
    /// Where it was read from.
    #[serde(skip)]
    pub path: PathBuf,
    spin_manifest_version: u32,
    /// The variables that exist, by name.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// What starts components.
    #[serde(default)]
    pub trigger: Triggers,
    /// The components, by name.
    #[serde(default)]
    pub component: BTreeMap<String, Component>,
}

/// A variable, which has a default or is required.
#[derive(Deserialize)]
pub struct Variable {
    /// The value it has when nothing else gives one.
    pub default: Option<String>,
}

/// What starts components.
#[derive(Default, Deserialize)]
pub struct Triggers {
    /// By request.
    #[serde(default)]
    pub http: Vec<HttpTrigger>,
    /// By name, from the command line.
    #[serde(default)]
    pub command: Vec<CommandTrigger>,
}

/// Requests for `route` go to `component`.
#[derive(Deserialize)]
pub struct HttpTrigger {
    /// A path; `/...` at its end stands for everything below.
    pub route: String,
    /// The name of a component.
    pub component: String,
}

/// A component that is a command.
#[derive(Deserialize)]
pub struct CommandTrigger {
    /// Its name.
    pub component: String,
}

/// A component and what it is granted.
#[derive(Deserialize)]
pub struct Component {
    /// Its .wasm file, relative to the manifest.
    pub source: PathBuf,
    /// The databases it may open.
    #[serde(default)]
    pub sqlite_databases: Vec<String>,
    /// The key-value stores it may open.
    #[serde(default)]
    pub key_value_stores: Vec<String>,
    /// The variables it may read: name to template.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// How it is built.
    pub build: Option<Build>,
}

/// How a component is built.
#[derive(Deserialize)]
pub struct Build {
    /// A command for the shell.
    pub command: String,
    /// The files it is made from, as patterns.
    #[serde(default)]
    pub watch: Vec<String>,
}

impl Manifest {
    /// Reads and checks the manifest in the file `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!("cannot read the manifest {}, which --from names or the current directory has", path.display())
        })?;
        let mut manifest: Manifest = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            // The message may go on with a list of what was expected; one line is enough.
            let fault = error.message().lines().next().unwrap_or("not TOML");
            anyhow::anyhow!("{}:{line}: {fault}", path.display())
        })?;
        manifest.path = path.to_owned();
        manifest.check().with_context(|| path.display().to_string())?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        if self.spin_manifest_version != 2 {
            bail!("spin_manifest_version is {}, must be 2", self.spin_manifest_version);
        }
        let by_request = self.trigger.http.iter().map(|trigger| &trigger.component);
        let by_name = self.trigger.command.iter().map(|trigger| &trigger.component);
        for name in by_request.chain(by_name) {
            if !self.component.contains_key(name) {
                bail!("a trigger names the component {name:?}, but there is no [component.{name}]");
            }
        }
        for trigger in &self.trigger.http {
            if !trigger.route.starts_with('/') {
                bail!("the route {:?} does not start with /", trigger.route);
            }
        }
        Ok(())
    }

    /// Whether `name` is a component that a command trigger names.
    pub fn has_command(&self, name: &str) -> bool {
        self.trigger.command.iter().any(|trigger| trigger.component == name)
    }
}
