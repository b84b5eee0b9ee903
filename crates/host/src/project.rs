//! An app on disk: `spin.toml`, the `spin.commands.toml` beside it, and what lies around them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::manifest::{Component, Manifest};

/// The manifests of one app.
pub struct Project {
    /// The directory of the manifests. Paths in them are relative to it.
    pub dir: PathBuf,
    /// The manifest with the HTTP triggers.
    pub app: Manifest,
    /// The manifest with the command triggers, if there is one.
    pub commands: Option<Manifest>,
}

impl Project {
    /// Reads the app at `from`: a manifest, or a directory with a spin.toml.
    pub fn read(from: &Path) -> Result<Self> {
        let path = if from.is_dir() { from.join("spin.toml") } else { from.to_owned() };
        let path =
            std::path::absolute(&path).with_context(|| format!("cannot find the manifest {}", path.display()))?;
        let app = Manifest::read(&path)?;
        let beside = path.with_extension("commands.toml");
        let commands = match beside.exists() {
            true => Some(Manifest::read(&beside)?),
            false => None,
        };
        Ok(Self { dir: path.parent().unwrap_or(Path::new("/")).to_owned(), app, commands })
    }

    /// Both manifests.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        [&self.app].into_iter().chain(&self.commands)
    }

    /// The manifest that has the command `name`, if one has.
    pub fn manifest_of_command(&self, name: &str) -> Option<&Manifest> {
        self.manifests().find(|manifest| manifest.has_command(name))
    }

    /// As [`Project::manifest_of_command`], or a line that says where it should be.
    pub fn require_command(&self, name: &str) -> Result<&Manifest> {
        let Some(manifest) = self.manifest_of_command(name) else {
            let expected = self.app.path.with_extension("commands.toml");
            bail!("no command {name:?}: {} has no such [[trigger.command]]", expected.display());
        };
        Ok(manifest)
    }

    /// The .wasm file of `component`.
    pub fn source(&self, component: &Component) -> PathBuf {
        self.dir.join(&component.source)
    }
}
