//! Builds the components whose sources are newer than their .wasm files.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, bail};

use lanterne_host::console::Console;
use lanterne_host::manifest::{Build, Component};
use lanterne_host::project::Project;

/// The target of the components; its name is also a directory on the way to their files.
const TARGET: &str = "wasm32-wasip2";

/// What cargo tells the programs it runs, and what suits a native build only. The nested cargo
/// starts from the user's own settings.
const REMOVED_FROM_ENVIRONMENT: [&str; 14] = [
    "CARGO",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_CRATE_NAME",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MAKEFLAGS",
    "CARGO_PRIMARY_PACKAGE",
    "LD_LIBRARY_PATH",
    "MAKEFLAGS",
    "MFLAGS",
    "RUSTC_WRAPPER_ARGS",
    "RUSTFLAGS",
    "RUST_RECURSION_COUNT",
];

/// Builds what is out of date, or everything with `all`.
pub(crate) fn build(project: &Project, all: bool, console: Console) -> Result<()> {
    let mut stale = Vec::new();
    for manifest in project.manifests() {
        for (name, component) in &manifest.component {
            if let Some(build) = &component.build
                && (all || is_stale(project, component, build)?)
            {
                stale.push((name, component, build));
            }
        }
    }
    if !stale.is_empty() {
        install_target(&project.dir, console)?;
    }
    let mut started = HashMap::new();
    let count = stale.len();
    for ((name, component, build), number) in stale.into_iter().zip(1..) {
        let start = match started.get(build.command.as_str()) {
            Some(start) => *start,
            None => {
                let start = SystemTime::now();
                let title = format!("{name} ({number} of {count})");
                run(project, &title, component, build, console)?;
                started.insert(build.command.as_str(), start);
                start
            }
        };
        mark_fresh(&project.source(component), name, start)?;
    }
    Ok(())
}

/// Whether a watched file is newer than the .wasm file, or that is missing.
fn is_stale(project: &Project, component: &Component, build: &Build) -> Result<bool> {
    let built = project.source(component).metadata().and_then(|metadata| metadata.modified());
    let Ok(built) = built else {
        return Ok(true);
    };
    let dir = glob::Pattern::escape(&project.dir.to_string_lossy());
    for pattern in &build.watch {
        let files = glob::glob(&format!("{dir}/{pattern}"))
            .with_context(|| format!("the watch pattern {pattern:?} is wrong"))?;
        let modified = |file: PathBuf| file.metadata().and_then(|metadata| metadata.modified()).ok();
        if files.flatten().filter_map(modified).any(|modified| modified > built) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn run(project: &Project, name: &str, component: &Component, build: &Build, console: Console) -> Result<()> {
    console.done("Building", format_args!("{name}: {}", build.command));
    let start = Instant::now();
    let mut command = Command::new("sh");
    command.arg("-c").arg(&build.command).current_dir(&project.dir).stdin(Stdio::null());
    for name in REMOVED_FROM_ENVIRONMENT {
        command.env_remove(name);
    }
    // The manifest says where the file will be; a shared target directory would put it elsewhere.
    let source = project.source(component);
    let target = source.ancestors().find(|dir| dir.file_name().is_some_and(|name| name == TARGET));
    match target.and_then(Path::parent) {
        Some(dir) => command.env("CARGO_TARGET_DIR", dir),
        None => command.env_remove("CARGO_TARGET_DIR"),
    };
    // Our own output is for whoever reads it; the build's goes where cargo's goes.
    command.stdout(std::io::stderr());

    let cannot_run = || format!("cannot run the build of {name}");
    if console.is_quiet() {
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = output.with_context(cannot_run)?;
        if !output.status.success() {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            bail!("the build of {name} failed: {}", build.command);
        }
    } else if !command.status().with_context(cannot_run)?.success() {
        bail!("the build of {name} failed: {}", build.command);
    }
    let seconds = start.elapsed().as_secs_f32();
    console.done("Built", format_args!("{name} in {seconds:.1} s"));
    Ok(())
}

/// Cargo leaves a file alone that would not change; without this it would be built every time. What was saved after the
/// `start` of the build may not be in it, and must count as newer.
fn mark_fresh(source: &Path, name: &str, start: SystemTime) -> Result<()> {
    File::options()
        .append(true)
        .open(source)
        .and_then(|file| file.set_modified(start))
        .with_context(|| format!("the build of {name} has not made {}", source.display()))
}

/// Makes sure that the toolchain can build components.
fn install_target(dir: &Path, console: Console) -> Result<()> {
    let rustup = |words: &[&str]| Command::new("rustup").args(words).current_dir(dir).stdin(Stdio::null()).output();
    let Ok(listed) = rustup(&["target", "list", "--installed"]) else {
        return check_sysroot(dir);
    };
    let installed = String::from_utf8_lossy(&listed.stdout);
    if installed.lines().any(|line| line.trim() == TARGET) || check_sysroot(dir).is_ok() {
        return Ok(());
    }
    console.done("Installing", format_args!("the Rust target {TARGET}"));
    let added = rustup(&["target", "add", TARGET]).context("cannot run rustup")?;
    if !added.status.success() {
        let reason = String::from_utf8_lossy(&added.stderr);
        let reason = reason.lines().last().unwrap_or_default().trim();
        bail!("`rustup target add {TARGET}` failed: {reason}");
    }
    Ok(())
}

/// Without rustup the target must have come with the compiler.
fn check_sysroot(dir: &Path) -> Result<()> {
    let printed = Command::new("rustc").args(["--print", "sysroot"]).current_dir(dir).output();
    let Ok(printed) = printed else {
        bail!("Rust is not installed: see https://rustup.rs");
    };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&printed.stdout).trim());
    if !sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        bail!("this Rust has no target {TARGET}: install Rust with rustup (https://rustup.rs)");
    }
    Ok(())
}
