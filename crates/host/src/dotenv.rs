//! The `.env` file beside the manifest: read here and by Spin, and where a new secret is kept.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

/// Where an app keeps its `.env`.
pub fn path(dir: &Path) -> PathBuf {
    dir.join(".env")
}

/// The lines of the `.env` in `dir`; later ones win. Nothing is exported to the environment, where
/// build commands would see it.
pub fn read(dir: &Path) -> Result<BTreeMap<String, String>> {
    let path = path(dir);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let entries = dotenvy::from_read_iter(text.as_slice()).enumerate();
    let values = entries.map(|(index, entry)| {
        entry.map_err(|error| match error {
            // Nothing of the line is shown: any part of it may be part of a secret.
            dotenvy::Error::LineParse(..) => {
                let number = index + 1;
                let fault = format!("entry {number} is not NAME=value (quote a value with blanks)");
                anyhow!("{}: {fault}", path.display())
            }
            other => anyhow!("{}: {other}", path.display()),
        })
    });
    values.collect()
}

/// Adds `name` with 32 random bytes, in hex, to the `.env` in `dir`, and gives the value. What the
/// file holds stays; from now on only its owner may read it. If another process was faster, its
/// value is taken.
pub fn append_secret(dir: &Path, name: &str) -> Result<String> {
    let path = path(dir);
    write_secret(&path, name).with_context(|| format!("cannot write {}", path.display()))?;
    let value = read(dir)?.remove(name);
    value.with_context(|| format!("{} does not keep {name}", path.display()))
}

fn write_secret(path: &Path, name: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let is_set = |line: &str| {
        line.strip_prefix(name)
            .and_then(|rest| rest.trim_start().strip_prefix('='))
            .is_some_and(|value| !value.trim().is_empty())
    };
    if text.lines().any(is_set) {
        return Ok(());
    }

    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| anyhow!("no random bytes: {error}"))?;
    let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(format!("{separator}{name}={secret}\n").as_bytes())?;
    file.sync_all()?;
    Ok(())
}
