//! The app that is part of the program, if that was built with the feature `embed`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use lanterne_host::EmbeddedApp;
use tempfile::TempDir;

#[cfg(feature = "embed")]
mod app {
    use super::EmbeddedApp;

    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// Returns the app.
pub(crate) fn app() -> Option<&'static EmbeddedApp> {
    #[cfg(feature = "embed")]
    return Some(&app::APP);
    #[cfg(not(feature = "embed"))]
    None
}

/// Writes the scripts of the migrations, which the component `migrate` contains as well, to a temporary folder in
/// `directory`. The system's directory for temporary files may be read-only, as in a container.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn migrations(directory: &Path) -> Result<TempDir> {
    #[cfg(feature = "embed")]
    let scripts = app::MIGRATIONS;
    #[cfg(not(feature = "embed"))]
    let scripts: &[(&str, &str)] = &[];
    let folder = tempfile::Builder::new().prefix(".lanterne-migrations-").tempdir_in(directory);
    let folder = folder.with_context(|| format!("cannot write to {}", directory.display()))?;
    for (name, script) in scripts {
        let path = folder.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, script)?;
    }
    Ok(folder)
}
