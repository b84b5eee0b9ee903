//! The manifests of an app (version 2), limited to the fields that this host uses.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;

use crate::serve::HeavyRequests;

/// An app: `spin.toml`, and the `spin.commands.toml` beside it if there is one.
///
/// The commands have a manifest of their own because `spin up` ends as soon as any trigger of its app ends.
pub struct App {
    /// The directory of the manifests, to which paths in them are relative; that of an embedded app is the working directory.
    pub dir: PathBuf,
    /// The manifest that the app was read from.
    pub main: Manifest,
    /// The manifest beside it.
    pub commands: Option<Manifest>,
    embedded: Option<&'static EmbeddedApp>,
}

/// An app whose files are part of the program.
pub struct EmbeddedApp {
    /// The text of `spin.toml`.
    pub main: &'static str,
    /// The text of `spin.commands.toml`.
    pub commands: &'static str,
    /// The components, by the `source` in their manifest.
    pub components: &'static [(&'static str, &'static [u8])],
}

/// A manifest.
#[derive(Deserialize)]
pub struct Manifest {
    /// The file that it was read from.
    #[serde(skip)]
    pub path: PathBuf,
    spin_manifest_version: u32,
    /// The declared variables, by name.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    #[serde(default)]
    pub(crate) trigger: Triggers,
    /// The components, by name.
    #[serde(default)]
    pub component: BTreeMap<String, Component>,
}

/// A declared variable.
#[derive(Deserialize)]
pub struct Variable {
    /// The value if no other is set. A variable without default is required.
    pub default: Option<String>,
}

#[derive(Default, Deserialize)]
pub(crate) struct Triggers {
    #[serde(default)]
    pub(crate) http: Vec<HttpTrigger>,
    #[serde(default)]
    command: Vec<CommandTrigger>,
}

#[derive(Deserialize)]
pub(crate) struct HttpTrigger {
    /// A path; `/...` at its end matches everything below.
    pub(crate) route: String,
    pub(crate) component: String,
}

#[derive(Deserialize)]
struct CommandTrigger {
    component: String,
}

/// A component and its grants.
#[derive(Deserialize)]
pub struct Component {
    source: PathBuf,
    /// The databases it may open.
    #[serde(default)]
    pub sqlite_databases: Vec<String>,
    /// The key-value stores it may open.
    #[serde(default)]
    pub key_value_stores: Vec<String>,
    /// Where it may send HTTP requests: `https://hooks.example.com`, or a template.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// The variables it may read: name to template, in which `{{ name }}` is replaced by a variable of the app.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// How to build it.
    pub build: Option<Build>,
    /// The settings of tools, which Spin ignores.
    #[serde(default)]
    tool: Tools,
}

#[derive(Default, Deserialize)]
struct Tools {
    #[serde(default)]
    lanterne: HostSettings,
}

/// `[component.NAME.tool.lanterne]`: settings of this host.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostSettings {
    /// Requests that need much processor time, such as `POST /login`.
    #[serde(default)]
    heavy_requests: Vec<String>,
    /// The paths by which metrics tell requests apart, such as `/users/{id}`.
    #[serde(default)]
    routes: Vec<String>,
}

/// How to build a component.
#[derive(Deserialize)]
pub struct Build {
    /// A command for the shell.
    pub command: String,
    /// Glob patterns of the files that it is built from.
    #[serde(default)]
    pub watch: Vec<String>,
}

impl App {
    /// Reads the app at `from`: a manifest, or a directory with a `spin.toml`.
    ///
    /// # Errors
    /// A manifest cannot be read, or is not valid.
    pub fn read(from: &Path) -> Result<Self> {
        let path = if from.is_dir() { from.join("spin.toml") } else { from.to_owned() };
        let path =
            std::path::absolute(&path).with_context(|| format!("cannot find the manifest {}", path.display()))?;
        let main = Manifest::read(&path)?;
        let beside = path.with_extension("commands.toml");
        let commands = beside.exists().then(|| Manifest::read(&beside)).transpose()?;
        Ok(Self { dir: path.parent().unwrap_or(Path::new("/")).to_owned(), main, commands, embedded: None })
    }

    /// Reads an embedded app, whose files beside the components are in the working directory.
    ///
    /// # Errors
    /// A manifest is not valid, or there is no working directory.
    pub fn embedded(embedded: &'static EmbeddedApp) -> Result<Self> {
        let dir = std::env::current_dir().context("cannot find the working directory")?;
        let main = Manifest::parse(Path::new("the embedded spin.toml"), embedded.main)?;
        let commands = Manifest::parse(Path::new("the embedded spin.commands.toml"), embedded.commands)?;
        Ok(Self { dir, main, commands: Some(commands), embedded: Some(embedded) })
    }

    /// Returns whether the app is part of the program.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Iterates over the manifests.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        [&self.main].into_iter().chain(&self.commands)
    }

    /// Returns the manifest with a command trigger for the component `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn command(&self, name: &str) -> Result<&Manifest> {
        let has_trigger = |manifest: &&Manifest| manifest.trigger.command.iter().any(|it| it.component == name);
        self.manifests().find(has_trigger).with_context(|| {
            let expected = self.main.path.with_extension("commands.toml");
            format!("no command {name:?}: {} has no such [[trigger.command]]", expected.display())
        })
    }

    /// Returns the `.wasm` file of `component`.
    #[must_use]
    pub fn source(&self, component: &Component) -> PathBuf {
        self.dir.join(&component.source)
    }

    /// Reads `component`.
    ///
    /// # Errors
    /// Its file is missing or cannot be read.
    pub(crate) fn binary(&self, component: &Component) -> Result<Cow<'static, [u8]>> {
        if let Some(embedded) = self.embedded {
            let mut components = embedded.components.iter();
            let found = components.find(|(source, _)| Path::new(source) == component.source);
            let (_, binary) = found.with_context(|| format!("this program has no {}", component.source.display()))?;
            return Ok(Cow::Borrowed(binary));
        }
        let path = self.source(component);
        fs::read(&path).map(Cow::Owned).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                anyhow!("there is no component {}: build the app, as `lanterne build` does", path.display())
            }
            _ => anyhow!("cannot read the component {}: {error}", path.display()),
        })
    }
}

impl Component {
    /// Returns the requests that need much processor time.
    pub(crate) fn heavy_requests(&self) -> Result<HeavyRequests> {
        HeavyRequests::parse(&self.tool.lanterne.heavy_requests)
    }

    /// Returns the paths by which metrics tell requests apart.
    pub(crate) fn routes(&self) -> &[String] {
        &self.tool.lanterne.routes
    }
}

impl Manifest {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!(
                "there is no manifest {}: run this in the directory of the app, or name that with --from",
                path.display()
            ),
            _ => anyhow!("cannot read the manifest {}: {error}", path.display()),
        })?;
        Self::parse(path, &text)
    }

    /// Parses the text of the file `path`.
    fn parse(path: &Path, text: &str) -> Result<Self> {
        let mut manifest: Manifest = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            // Further lines may list the expected tokens.
            let message = error.message().lines().next().unwrap_or("not TOML");
            anyhow!("{}:{line}: {message}", path.display())
        })?;
        manifest.path = path.to_owned();
        manifest.check().with_context(|| path.display().to_string())?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        if self.spin_manifest_version != 2 {
            bail!("spin_manifest_version is {}, must be 2", self.spin_manifest_version);
        }
        let http = self.trigger.http.iter().map(|trigger| &trigger.component);
        let command = self.trigger.command.iter().map(|trigger| &trigger.component);
        for name in http.chain(command) {
            if !self.component.contains_key(name) {
                bail!("a trigger names the component {name:?}, but there is no [component.{name}]");
            }
        }
        match self.trigger.http.iter().find(|trigger| !trigger.route.starts_with('/')) {
            Some(trigger) => bail!("the route {:?} does not start with /", trigger.route),
            None => Ok(()),
        }
    }
}
