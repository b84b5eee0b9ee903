//! The app that is part of the program, if that was built with the feature `embed`.

use std::fs;

use anyhow::Result;
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

/// Writes the scripts of the migrations, which the component `migrate` contains as well, to a temporary folder.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn migrations() -> Result<TempDir> {
    #[cfg(feature = "embed")]
    let scripts = app::MIGRATIONS;
    #[cfg(not(feature = "embed"))]
    let scripts: &[(&str, &str)] = &[];
    let folder = tempfile::tempdir()?;
    for (name, script) in scripts {
        let path = folder.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, script)?;
    }
    Ok(folder)
}
