//! Builds the components whose sources are newer than their `.wasm` files.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use glob::MatchOptions;
use lanterne_host::App;
use lanterne_host::manifest::{Build, Component};

use crate::console::Console;

/// The target of components; also a directory in the path of their files.
const TARGET: &str = "wasm32-wasip2";

/// Variables that cargo sets for the programs it runs, and settings for native builds: the nested cargo must not inherit
/// either.
const REMOVED_FROM_ENVIRONMENT: &str = "CARGO CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_TARGET_DIR \
    CARGO_CRATE_NAME CARGO_ENCODED_RUSTFLAGS CARGO_MAKEFLAGS CARGO_PRIMARY_PACKAGE LD_LIBRARY_PATH MAKEFLAGS MFLAGS \
    RUSTC_WRAPPER_ARGS RUSTFLAGS RUST_RECURSION_COUNT";

/// Builds the components that are out of date, or all of them.
pub(crate) fn build(app: &App, all: bool, console: Console) -> Result<()> {
    let mut stale = Vec::new();
    for (name, component) in components(app) {
        if let Some(build) = &component.build
            && (all || is_stale(app, component, build)?)
        {
            stale.push((name, component, build));
        }
    }
    run_all(app, stale, console)
}

/// Builds the components with these `names`, as far as the manifest says how.
pub(crate) fn rebuild(app: &App, names: &[&str], console: Console) -> Result<()> {
    let named = components(app).filter(|(name, _)| names.contains(name));
    run_all(
        app,
        named.filter_map(|(name, component)| Some((name, component, component.build.as_ref()?))).collect(),
        console,
    )
}

/// Iterates over the components of all manifests.
pub(crate) fn components(app: &App) -> impl Iterator<Item = (&str, &Component)> {
    let components = app.manifests().flat_map(|manifest| &manifest.component);
    components.map(|(name, component)| (name.as_str(), component))
}

/// Runs the builds. A command that several components share runs once.
fn run_all(app: &App, stale: Vec<(&str, &Component, &Build)>, console: Console) -> Result<()> {
    if !stale.is_empty() {
        install_target(&app.dir, console)?;
    }
    let mut started = HashMap::new();
    let count = stale.len();
    for ((name, component, build), number) in stale.into_iter().zip(1..) {
        let source = app.source(component);
        let start = match started.get(&build.command) {
            Some(start) => *start,
            None => {
                let start = SystemTime::now();
                run(&app.dir, &format!("{name} ({number} of {count})"), &build.command, &source, console)?;
                started.insert(&build.command, start);
                start
            }
        };
        mark_fresh(&source, name, start)?;
    }
    Ok(())
}

/// Whether the `.wasm` file is missing, or older than a watched file.
fn is_stale(app: &App, component: &Component, build: &Build) -> Result<bool> {
    let modified = |file: PathBuf| file.metadata().and_then(|metadata| metadata.modified()).ok();
    let Some(built) = modified(app.source(component)) else {
        return Ok(true);
    };
    // Where its sources cannot be found they would always count as older.
    let Some(files) = watched_files(app, build)? else {
        return Ok(true);
    };
    Ok(files.into_iter().any(|file| modified(file).is_some_and(|modified| modified > built)))
}

/// Lists the files that the `watch` patterns of `build` match, without hidden files and without those that builds write:
/// components, and what is in the app's `target/` or another of cargo's target directories. `None` if the path of the app is
/// not UTF-8, since
/// `glob` takes only texts.
///
/// # Errors
/// A pattern is not valid.
pub(crate) fn watched_files(app: &App, build: &Build) -> Result<Option<Vec<PathBuf>>> {
    let Some(dir) = app.dir.to_str().map(glob::Pattern::escape) else {
        return Ok(None);
    };
    let built: Vec<PathBuf> = components(app).map(|(_, component)| app.source(component)).collect();
    let is_target =
        |dir: &Path| dir.ends_with("target") && (dir.parent() == Some(&app.dir) || dir.join("CACHEDIR.TAG").exists());
    let is_below_target = |file: &Path| file.ancestors().skip(1).take_while(|dir| *dir != app.dir).any(is_target);
    // The state directory is hidden by default, and changes with every request.
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    let mut files = Vec::new();
    for pattern in &build.watch {
        let found = glob::glob_with(&format!("{dir}/{pattern}"), options);
        let found = found.with_context(|| format!("invalid watch pattern {pattern:?}"))?.flatten();
        files.extend(found.filter(|file| !built.contains(file) && !is_below_target(file)));
    }
    Ok(Some(files))
}

/// Runs the build `command` of the component `name`, which writes `source`.
fn run(dir: &Path, name: &str, command: &str, source: &Path, console: Console) -> Result<()> {
    console.done("Building", format_args!("{name}: {command}"));
    let start = Instant::now();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).current_dir(dir).stdin(Stdio::null());
    for name in REMOVED_FROM_ENVIRONMENT.split_whitespace() {
        shell.env_remove(name);
    }
    // The manifest determines where the file must be; the user's CARGO_TARGET_DIR would put it elsewhere.
    let target = source.ancestors().find(|dir| dir.file_name().is_some_and(|name| name == TARGET));
    match target.and_then(Path::parent) {
        Some(dir) => shell.env("CARGO_TARGET_DIR", dir),
        None => shell.env_remove("CARGO_TARGET_DIR"),
    };
    if !console.is_quiet() {
        // Stdout is reserved for our own progress.
        shell.stdout(std::io::stderr()).stderr(Stdio::inherit());
    }
    let output = shell.output().with_context(|| format!("cannot run the build of {name}"))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("the build of {name} failed: {command}");
    }
    console.done("Built", format_args!("{name} in {:.1} s", start.elapsed().as_secs_f32()));
    Ok(())
}

/// Sets the file's modification time to the `start` of the build: sources saved during the build may not be in it and
/// must count as newer. Cargo leaves the time of an unchanged file, which would then be built every time.
fn mark_fresh(source: &Path, name: &str, start: SystemTime) -> Result<()> {
    let marked = File::options().append(true).open(source).and_then(|file| file.set_modified(start));
    marked.with_context(|| format!("the build of {name} did not create {}", source.display()))
}

/// Installs the target with rustup, unless the toolchain has it.
fn install_target(dir: &Path, console: Console) -> Result<()> {
    let Ok(printed) = Command::new("rustc").args(["--print", "sysroot"]).current_dir(dir).output() else {
        bail!("Rust is not installed: see https://rustup.rs");
    };
    let sysroot = Path::new(OsStr::from_bytes(printed.stdout.trim_ascii()));
    if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    console.done("Installing", format_args!("the Rust target {TARGET}"));
    let added = Command::new("rustup").args(["target", "add", TARGET]).current_dir(dir).stdin(Stdio::null()).output();
    let Ok(added) = added else {
        bail!("this Rust has no target {TARGET}: install Rust with rustup (https://rustup.rs)");
    };
    if !added.status.success() {
        let reason = String::from_utf8_lossy(&added.stderr);
        bail!("`rustup target add {TARGET}` failed: {}", reason.lines().last().unwrap_or_default().trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_builds_write_is_not_watched() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path();
        let manifest = "spin_manifest_version = 2\n[component.api]\nsource = \"built.wasm\"\n\
                        [component.api.build]\ncommand = \"true\"\nwatch = [\"**/*\"]\n";
        let watched = ["spin.toml", "src/lib.rs", "src/target/mod.rs"];
        let ignored = [
            "built.wasm",
            "target/a.rs",
            "target/release/b",
            "fuzz/target/c",
            "fuzz/target/CACHEDIR.TAG",
            ".spin/d.db",
        ];
        for name in watched.into_iter().chain(ignored) {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, manifest).unwrap();
        }
        let app = App::read(dir).unwrap();
        let (_, component) = components(&app).next().unwrap();
        let files = watched_files(&app, component.build.as_ref().unwrap()).unwrap().unwrap();
        let mut files: Vec<_> = files.iter().filter(|file| file.is_file()).collect();
        files.sort();
        assert_eq!(files, watched.map(|name| dir.join(name)).iter().collect::<Vec<_>>());
    }
}
