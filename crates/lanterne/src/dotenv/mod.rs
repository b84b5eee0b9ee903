//! The `.env` file beside the manifest, in which the rules of two programs meet: plain names are those of the Python server,
//! which read the file with python-dotenv; `SPIN_VARIABLE_` names are Spin's, which reads it with the crate dotenvy.

mod interpolation;
mod statement;

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::console::UsageError;
use interpolation::interpolate;
use statement::{Value, statements};

/// Stands for an environment variable that is not UTF-8 while a file is parsed: a noncharacter, which is in no text
/// (Unicode, section 23.7).
const NOT_UTF8: &str = "\u{FDD0}";

/// The prefix of the names that Spin reads.
const SPIN_PREFIX: &str = "SPIN_VARIABLE_";

/// The content of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dotenv {
    /// Names as they are written, and values: first the plain names, then those of Spin, each in the order of the file.
    pub(crate) entries: Vec<(String, String)>,
    /// Names whose values cannot be read, and where.
    pub(crate) unreadable: Vec<(String, Unreadable)>,
}

/// Why a value cannot be read. Any part of a line may be part of a secret, so none is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// By the rules of python-dotenv.
    #[error("line {0}: a quote is not closed, here or in an earlier line, or something follows the value")]
    Python(usize),
    /// By the rules of dotenvy.
    #[error("line {0}: Spin cannot read this value: put it in single quotes")]
    Spin(usize),
    #[error("the value is not UTF-8")]
    NotUtf8,
    #[error("the value refers to an environment variable that is not UTF-8")]
    Environment,
}

/// The secret that `.env` holds.
pub(crate) struct Secret {
    pub(crate) value: String,
    /// Whether it has just been written.
    pub(crate) is_new: bool,
}

/// Returns the file for an app in the directory `dir`.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(".env")
}

/// Reads the file of the app in `dir`; a missing file is empty. Exports nothing to the environment, where build commands
/// would see it.
pub(crate) fn read(dir: &Path) -> Result<Dotenv> {
    let path = path(dir);
    match fs::read(&path) {
        Ok(bytes) => decode(&bytes).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Dotenv::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Parses a file in UTF-8. Lines of others may be in any encoding that keeps ASCII.
fn decode(bytes: &[u8]) -> Result<Dotenv> {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        bail!(UsageError("is in UTF-16: save it as UTF-8".to_owned()));
    }
    let text = String::from_utf8_lossy(bytes);
    let mut dotenv = parse(&text, &environment(env::vars_os()));
    if matches!(text, std::borrow::Cow::Owned(_)) {
        let is_damaged = |(_, value): &mut (String, String)| value.contains(char::REPLACEMENT_CHARACTER);
        let damaged = dotenv.entries.extract_if(.., is_damaged).map(|(name, _)| (name, Unreadable::NotUtf8));
        dotenv.unreadable.extend(damaged);
    }
    Ok(dotenv)
}

/// Returns the variables to which values can refer, with [`NOT_UTF8`] as the value of those that are not UTF-8.
fn environment(all: impl Iterator<Item = (OsString, OsString)>) -> HashMap<String, String> {
    let text = |value: OsString| value.into_string().unwrap_or_else(|_| NOT_UTF8.to_owned());
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, text(value)))).collect()
}

/// Parses the text of a file, whose values can refer to earlier ones and to the `environment`.
fn parse(text: &str, environment: &HashMap<String, String>) -> Dotenv {
    let mut dotenv = Dotenv::default();
    // What references see: a name without a value hides the environment's.
    let mut earlier: HashMap<&str, String> = HashMap::new();
    // To dotenvy, an environment variable that is not UTF-8 is not set, so that an earlier line counts.
    let not_utf8 = environment.iter().filter(|(_, value)| *value == NOT_UTF8);
    let mut for_spin: String =
        not_utf8.map(|(name, _)| format!("{name}='{NOT_UTF8}'\n")).filter(|line| is_readable_by_spin(line)).collect();
    for statement in statements(text.strip_prefix('\u{FEFF}').unwrap_or(text)) {
        let (name, line) = (statement.name, statement.line);
        let is_for_spin = name.starts_with(SPIN_PREFIX);
        if is_readable_by_spin(statement.text) {
            for_spin.push_str(statement.text);
            for_spin.push('\n');
        } else if is_for_spin {
            dotenv.unreadable.push((name.to_owned(), Unreadable::Spin(line)));
        }
        let value = match statement.value {
            Value::Text(value) => {
                interpolate(&value, |name| earlier.get(name).or_else(|| environment.get(name)).cloned())
            }
            Value::Absent => {
                earlier.insert(name, String::new());
                continue;
            }
            Value::Unreadable => {
                // The rest of a quote that is not closed may hold further lines.
                let hidden = statement.text.split_once('\n').map_or("", |(_, rest)| rest);
                let names = [name].into_iter().filter(|_| !is_for_spin);
                let names = names.chain(statements(hidden).map(|statement| statement.name));
                dotenv.unreadable.extend(names.map(|name| (name.to_owned(), Unreadable::Python(line))));
                continue;
            }
        };
        if !is_for_spin {
            dotenv.entries.push((name.to_owned(), value.clone()));
        }
        earlier.insert(name, value);
    }
    let spins = dotenvy::from_read_iter(for_spin.as_bytes()).flatten();
    dotenv.entries.extend(spins.filter(|(name, _)| name.starts_with(SPIN_PREFIX)));
    let damaged = dotenv.entries.extract_if(.., |(_, value)| value.contains(NOT_UTF8));
    dotenv.unreadable.extend(damaged.map(|(name, _)| (name, Unreadable::Environment)));
    dotenv
}

/// Whether Spin can read a statement. If it cannot, it reads nothing of the file.
fn is_readable_by_spin(statement: &str) -> bool {
    dotenvy::from_read_iter(format!("{statement}\n").as_bytes()).all(|entry| entry.is_ok())
}

/// Adds `name` with 32 random bytes in hex to the file of the app in `dir`, unless another process has just added it.
pub(crate) fn add_secret(dir: &Path, name: &str) -> Result<Secret> {
    let path = path(dir);
    let secret = write_secret(&path, name).with_context(|| format!("cannot write {}", path.display()))?;
    // The line is lost in a file that ends within quotes.
    match filled(&read(dir)?, name) {
        Some(value) if value == secret.value => Ok(secret),
        _ => bail!("{} does not keep {name}: a quote in it is not closed", path.display()),
    }
}

/// Appends the secret unless `name` is set. Only the owner can read the file afterwards.
fn write_secret(path: &Path, name: &str) -> Result<Secret> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
    file.lock()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if let Some(value) = filled(&decode(&bytes)?, name) {
        return Ok(Secret { value, is_new: false });
    }
    let mut value = String::new();
    for _ in 0..4 {
        let part = getrandom::u64().map_err(|error| anyhow!("no random bytes: {error}"))?;
        value.push_str(&format!("{part:016x}"));
    }
    let separator = if bytes.is_empty() || bytes.ends_with(b"\n") { "" } else { "\n" };
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(format!("{separator}{name}={value}\n").as_bytes())?;
    file.sync_all()?;
    Ok(Secret { value, is_new: true })
}

/// Returns the last value of `name` that is not empty.
fn filled(dotenv: &Dotenv, name: &str) -> Option<String> {
    let mut values = dotenv.entries.iter().rev().filter(|(other, value)| other == name && !value.is_empty());
    values.next().map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests;
