//! Compiled components, kept between runs: compiling takes most of a start.
//!
//! Loading one runs whatever machine code is in it, so the directory must be ours alone, and the
//! name of a file says what it was made from: the component, and wasmtime with its settings.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, anyhow, ensure};
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::console;
use crate::engine::Engine;
use crate::storage;

/// Files older than this are removed when a new one is written.
const AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A directory of compiled components.
pub(crate) struct ComponentCache {
    dir: Option<PathBuf>,
}

impl ComponentCache {
    /// Uses the user's cache directory, or one in `state_dir` where there is none.
    pub(crate) fn new(state_dir: &Path) -> Self {
        let dir = if let Some(chosen) = non_empty_variable("LANTERNE_CACHE_DIR") {
            private_dir(chosen)
                .inspect_err(|error| console::fault(format_args!("LANTERNE_CACHE_DIR is not used: {error}")))
                .ok()
        } else {
            let for_user = user_cache_dir().and_then(|dir| private_dir(dir.join("lanterne")).ok());
            for_user.or_else(|| private_dir(state_dir.join("cache")).ok())
        };
        Self { dir }
    }

    /// The component in the file `wasm`; `compiling` is called if it has to be compiled first.
    pub(crate) fn load(&self, engine: &Engine, wasm: &Path, compiling: impl FnOnce()) -> Result<Component> {
        let bytes = fs::read(wasm).with_context(|| format!("cannot read the component {}", wasm.display()))?;
        let cached = self.dir.as_ref().map(|dir| dir.join(file_name(engine, &bytes)));
        if let Some(path) = &cached
            && let Ok(component) = load_compiled(engine, path)
        {
            return Ok(component);
        }

        compiling();
        // Only the outermost message: the causes are about bytes, and fill many lines.
        let component = Component::new(engine.wasmtime(), &bytes)
            .map_err(|error| anyhow!("{} is no component that this host can run: {error}", wasm.display()))?;
        if let Some(path) = &cached {
            // A start that cannot write its cache is a slow start, not a failed one.
            let _ = write(&component, path);
        }
        Ok(component)
    }
}

fn non_empty_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn user_cache_dir() -> Option<PathBuf> {
    non_empty_variable("XDG_CACHE_HOME")
        .filter(|dir| dir.is_absolute())
        .or_else(|| non_empty_variable("HOME").map(|home| home.join(".cache")))
}

/// Makes `dir` if needed, and refuses it if anyone else could write to it.
fn private_dir(dir: PathBuf) -> Result<PathBuf> {
    storage::create_private_dir(&dir)?;
    let metadata = fs::symlink_metadata(&dir)?;
    ensure!(metadata.is_dir(), "not a directory");
    ensure!(metadata.uid() == rustix::process::geteuid().as_raw(), "not ours");
    ensure!(metadata.mode() & 0o022 == 0, "others may write to it");
    Ok(dir)
}

fn file_name(engine: &Engine, bytes: &[u8]) -> String {
    let mut settings = DefaultHasher::new();
    engine.wasmtime().precompile_compatibility_hash().hash(&mut settings);
    let component: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{component}-{:016x}.cwasm", settings.finish())
}

#[allow(unsafe_code, reason = "wasmtime cannot check compiled code; the directory is private")]
fn load_compiled(engine: &Engine, path: &Path) -> Result<Component> {
    // SAFETY: only this program writes to the directory, which nobody else can, and it renames
    // finished files into place. wasmtime itself refuses what another version of it has made.
    let component = unsafe { Component::deserialize_file(engine.wasmtime(), path) };
    component.map_err(anyhow::Error::from)
}

/// Writes beside `path` and renames: several processes may be starting at the same time.
fn write(component: &Component, path: &Path) -> Result<()> {
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&unfinished, component.serialize()?)?;
    fs::rename(&unfinished, path)?;
    if let Some(dir) = path.parent() {
        remove_old_files(dir);
    }
    Ok(())
}

/// The directory may be any that the user has chosen: what has another name than ours is not touched.
fn remove_old_files(dir: &Path) {
    let Some(oldest) = SystemTime::now().checked_sub(AGE_MAX) else {
        return;
    };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_file_name);
        let is_old = entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified < oldest);
        if is_ours && is_old {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether [`file_name`] or [`write`] could have made this name.
fn is_file_name(name: &str) -> bool {
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some((stem, extension)) = name.split_once('.') else {
        return false;
    };
    let is_stem =
        stem.split_once('-').is_some_and(|(component, settings)| is_hex(component, 64) && is_hex(settings, 16));
    is_stem && (extension == "cwasm" || extension.ends_with(".tmp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_files_of_ours_are_removed() {
        let dir = std::env::temp_dir().join(format!("lanterne-cache-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        let stem = format!("{}-{}", "0a".repeat(32), "0b".repeat(8));
        let names = [format!("{stem}.cwasm"), format!("{stem}.7.tmp"), "thesis.cwasm".into(), ".profile".into()];
        let write = |name: &String| fs::write(dir.join(name), "").unwrap();
        let is_there = |name: &String| dir.join(name).exists();

        names.iter().for_each(write);
        remove_old_files(&dir);
        assert!(names.iter().all(is_there), "none is old");

        for name in &names {
            let file = fs::File::options().append(true).open(dir.join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        remove_old_files(&dir);
        let left = names.each_ref().map(is_there);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(left, [false, false, true, true]);
    }
}
