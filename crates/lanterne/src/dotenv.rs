//! The `.env` file beside the manifest, which Spin reads, too.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

/// Returns the file for an app in the directory `dir`.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(".env")
}

/// Reads the file of the app in `dir`; a missing file is empty. The last of several equal names wins. Exports nothing to
/// the environment, where build commands would see it.
pub(crate) fn read(dir: &Path) -> Result<BTreeMap<String, String>> {
    let path = path(dir);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let entries = dotenvy::from_read_iter(text.as_slice()).zip(1..);
    let entries = entries.map(|(entry, number)| {
        entry.map_err(|error| match error {
            // Any part of the line may be part of a secret.
            dotenvy::Error::LineParse(..) => {
                anyhow!("{}: entry {number} is not NAME=value (quote a value with blanks)", path.display())
            }
            other => anyhow!("{}: {other}", path.display()),
        })
    });
    entries.collect()
}

/// Adds `name` with 32 random bytes in hex to the file of the app in `dir`, and returns the value. If another process has
/// just added it, returns that value.
pub(crate) fn add_secret(dir: &Path, name: &str) -> Result<String> {
    let path = path(dir);
    write_secret(&path, name).with_context(|| format!("cannot write {}", path.display()))?;
    let value = read(dir)?.remove(name);
    value.with_context(|| format!("{} does not keep {name}", path.display()))
}

/// Appends the secret unless `name` is set. Only the owner can read the file afterwards.
fn write_secret(path: &Path, name: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let value = |line: &str| Some(line.strip_prefix(name)?.trim_start().strip_prefix('=')?.trim().to_owned());
    if text.lines().filter_map(value).any(|value| !value.is_empty()) {
        return Ok(());
    }
    let mut secret = String::new();
    for _ in 0..4 {
        let part = getrandom::u64().map_err(|error| anyhow!("no random bytes: {error}"))?;
        secret.push_str(&format!("{part:016x}"));
    }
    let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(format!("{separator}{name}={secret}\n").as_bytes())?;
    file.sync_all()?;
    Ok(())
}
