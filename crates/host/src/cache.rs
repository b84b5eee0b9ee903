//! A cache of compiled components on disk: without it, most of the start-up time is compilation.
//!
//! A cached file contains machine code that runs unchecked, so only the user may write to the file and its directory. The file
//! name is a hash of the inputs: the component, and wasmtime with its settings. Each file ends with a CRC-32, which detects
//! damage by a disk or a crash; SHA-256 would take a fifth of the start-up time. Files are mapped into memory, so only the
//! pages in use are resident. Files are replaced or removed, never overwritten.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::engine::Engine;
use crate::storage::create_private_dir;

/// Writing a file removes files older than this.
const AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The version of the format, which is part of each file name. Increment it when the format changes: otherwise old files would
/// look damaged.
const FORMAT: u32 = 1;
/// The size of the checksum at the end of a file, in bytes.
const CHECKSUM_SIZE: usize = 4;
/// How much of a file is read at once, in bytes.
const READ_SIZE: usize = 64 * 1024;
/// Compilations that take longer are logged.
const SLOW: Duration = Duration::from_secs(1);

/// A directory of compiled components; disabled if there is no private one.
pub(crate) struct ComponentCache {
    dir: Option<PathBuf>,
}

impl ComponentCache {
    /// Uses the directory `LANTERNE_CACHE_DIR`, or else the user's cache directory, or else one in `state_dir`.
    pub(crate) fn new(state_dir: &Path) -> Self {
        if let Some(chosen) = path_variable("LANTERNE_CACHE_DIR") {
            let dir = private_dir(chosen).inspect_err(|error| log::error!("LANTERNE_CACHE_DIR is not used: {error:#}"));
            return Self { dir: dir.ok() };
        }
        let of_user = path_variable("XDG_CACHE_HOME")
            .filter(|dir| dir.is_absolute())
            .or_else(|| path_variable("HOME").map(|home| home.join(".cache")))
            .and_then(|dir| private_dir(dir.join("lanterne")).ok());
        Self { dir: of_user.or_else(|| private_dir(state_dir.join("cache")).ok()) }
    }

    /// Loads the component `name` with this `binary`, from the cache if possible.
    pub(crate) fn load(&self, engine: &Engine, binary: &[u8], name: &str) -> Result<Component> {
        let cached = self.dir.as_ref().map(|dir| dir.join(file_name(engine, binary)));
        if let Some(component) = cached.as_ref().and_then(|path| load_compiled(engine, path)) {
            return Ok(component);
        }
        let start = Instant::now();
        // Only the outermost message: the causes describe the binary, and fill many lines.
        let component = Component::new(engine.wasmtime(), binary).map_err(|error| anyhow!("{error}"))?;
        let duration = start.elapsed();
        // Failing to write the cache is not an error. After a write, use the mapped file and free the code in memory.
        let written = cached.filter(|path| match write(&component, path) {
            Ok(()) => true,
            Err(error) => {
                log::warn!("cannot write {}, so the next start compiles {name} again: {error:#}", path.display());
                false
            }
        });
        if duration > SLOW {
            let next = if written.is_some() { "; the next start uses the cache" } else { "" };
            log::info!("compiled {name} in {:.1} s{next}", duration.as_secs_f32());
        }
        Ok(written.and_then(|path| load_compiled(engine, &path)).unwrap_or(component))
    }
}

fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Creates `dir` if needed, and refuses it if anyone else can write to it.
fn private_dir(dir: PathBuf) -> Result<PathBuf> {
    create_private_dir(&dir)?;
    let metadata = fs::symlink_metadata(&dir)?;
    ensure!(metadata.is_dir(), "not a directory");
    ensure_private(&metadata)?;
    Ok(dir)
}

/// Checks that only this user can write to a file or directory.
///
/// # Errors
/// Another user owns it, or may write to it.
fn ensure_private(metadata: &Metadata) -> Result<()> {
    ensure!(metadata.uid() == rustix::process::geteuid().as_raw(), "it belongs to another user");
    ensure!(metadata.mode() & 0o022 == 0, "others may write to it");
    Ok(())
}

fn file_name(engine: &Engine, bytes: &[u8]) -> String {
    let mut settings = DefaultHasher::new();
    engine.wasmtime().precompile_compatibility_hash().hash(&mut settings);
    FORMAT.hash(&mut settings);
    let component = Bytes::copy_from_slice(&Sha256::digest(bytes));
    format!("{component:x}-{:016x}.cwasm", settings.finish())
}

#[allow(unsafe_code, reason = "wasmtime cannot check compiled code; only this user can write it")]
fn load_compiled(engine: &Engine, path: &Path) -> Option<Component> {
    let file = File::open(path).ok()?;
    if let Err(error) = file.metadata().map_err(Into::into).and_then(|metadata| ensure_private(&metadata)) {
        log::warn!("{} is not used: {error:#}", path.display());
        return None;
    }
    if !is_whole(&file).ok()? {
        log::info!("{} is damaged: compiling again", path.display());
        return None;
    }
    // SAFETY: only this user can write to the directory and to the file. This program completes a file before it gets this
    // name, and never changes it later. So `path` is the file that was checked, or a complete one that has replaced it since.
    // wasmtime refuses code of another version.
    let mapped = unsafe { Component::deserialize_file(engine.wasmtime(), path) };
    mapped
        .or_else(|error| {
            // Code on a file system that is mounted with `noexec` cannot be mapped, but can be copied.
            log::debug!("cannot map {}: {error:#}", path.display());
            // SAFETY: see above.
            unsafe { Component::deserialize(engine.wasmtime(), fs::read(path)?) }
        })
        .ok()
}

/// Returns whether `file` ends with the checksum of its code.
fn is_whole(mut file: &File) -> io::Result<bool> {
    let Some(code_size) = file.metadata()?.len().checked_sub(CHECKSUM_SIZE as u64) else {
        return Ok(false);
    };
    let mut code = file.take(code_size);
    let (mut crc, mut buffer) = (crc32fast::Hasher::new(), vec![0; READ_SIZE]);
    loop {
        match code.read(&mut buffer)? {
            0 => break,
            size => crc.update(&buffer[..size]),
        }
    }
    let mut checksum = [0; CHECKSUM_SIZE];
    file.read_exact(&mut checksum)?;
    Ok(crc.finalize().to_le_bytes() == checksum)
}

/// Writes a temporary file with a unique name and renames it to `path`. Processes that share the directory, even from several
/// containers, therefore never write to a file that another process has mapped.
fn write(component: &Component, path: &Path) -> Result<()> {
    let (Some(dir), Some(stem)) = (path.parent(), path.file_stem().and_then(OsStr::to_str)) else {
        return Ok(());
    };
    let code = component.serialize()?;
    let mut file = tempfile::Builder::new().prefix(&format!("{stem}.")).suffix(".tmp").tempfile_in(dir)?;
    file.write_all(&code)?;
    file.write_all(&crc32fast::hash(&code).to_le_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()?;
    remove_old_files(dir);
    Ok(())
}

/// Removes old files of the cache and no others: the user may have chosen any directory.
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
    use std::io::Seek as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_files_with_their_checksum_are_trusted() {
        let is_trusted = |content: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(content).unwrap();
            file.rewind().unwrap();
            is_whole(&file).unwrap()
        };
        let code = vec![7; READ_SIZE + 1];
        let whole = [code.as_slice(), &crc32fast::hash(&code).to_le_bytes()].concat();
        assert!(is_trusted(&whole));
        let mut changed = whole.clone();
        changed[READ_SIZE] ^= 1;
        for content in [&changed, &whole[1..], &whole[..whole.len() - 1], &code, b""] {
            assert!(!is_trusted(content));
        }
    }

    /// An empty component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    #[cfg(target_os = "linux")]
    fn compiled_components_are_mapped_from_the_first_start_on() {
        let temporary = tempfile::TempDir::new().unwrap();
        let engine = Engine::new().unwrap();
        let cache = ComponentCache { dir: Some(temporary.path().to_owned()) };
        let maps = || fs::read_to_string("/proc/self/maps").unwrap();
        let name = file_name(&engine, EMPTY);
        for _start in 0..2 {
            let component = cache.load(&engine, EMPTY, "empty").unwrap();
            assert!(maps().contains(&name));
            drop(component);
            assert!(!maps().contains(&name));
        }
        let names = fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), [name.as_str()]);
    }

    #[test]
    fn a_file_that_others_may_write_to_is_not_loaded() {
        let temporary = tempfile::TempDir::new().unwrap();
        let engine = Engine::new().unwrap();
        let path = temporary.path().join("empty.cwasm");
        write(&Component::new(engine.wasmtime(), EMPTY).unwrap(), &path).unwrap();
        assert!(load_compiled(&engine, &path).is_some());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
        assert!(load_compiled(&engine, &path).is_none());
    }

    #[test]
    fn only_old_files_of_the_cache_are_removed() {
        let temporary = tempfile::TempDir::new().unwrap();
        let dir = temporary.path();
        let stem = format!("{}-{}", "0a".repeat(32), "0b".repeat(8));
        let names = [format!("{stem}.cwasm"), format!("{stem}.7.tmp"), "thesis.cwasm".into(), ".profile".into()];
        let write = |name: &String| fs::write(dir.join(name), "").unwrap();
        let is_there = |name: &String| dir.join(name).exists();

        names.iter().for_each(write);
        remove_old_files(dir);
        assert!(names.iter().all(is_there), "none is old");

        for name in &names {
            let file = fs::File::options().append(true).open(dir.join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        remove_old_files(dir);
        assert_eq!(names.each_ref().map(is_there), [false, false, true, true]);
    }
}
