//! Detects which tests this machine can run. The others are reported as ignored, with the reason.
//!
//! `has_node`, `has_python`: Node, or python3.
//! `has_browser`: Node, Chromium, and the packages that `e2e/` needs are installed.
//! `one_file`: `LANTERNE_ONE_FILE` names a program that contains the app.
//! `spin_host`: the tests run against Spin (`LANTERNE_TEST_HOST=spin`), not against `lanterne`.
//! `scale_out`: they do, `LANTERNE_TEST_LIBSQL_URL` names a libSQL server, and `redis-server` is installed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_browser, has_node, has_python, one_file, scale_out, spin_host)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CHROMIUM");
    println!("cargo::rerun-if-env-changed=LANTERNE_ONE_FILE");
    println!("cargo::rerun-if-env-changed=LANTERNE_TEST_HOST");
    println!("cargo::rerun-if-env-changed=LANTERNE_TEST_LIBSQL_URL");

    let chromium = env::var_os("CHROMIUM").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from);
    let packages = ["playwright-core", "axe-core"].map(|name| Path::new("../e2e/node_modules").join(name));
    watch(&chromium);
    packages.iter().for_each(|package| watch(package));
    let runs = |program| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    let has_node = runs("node");
    if has_node {
        println!("cargo::rustc-cfg=has_node");
    }
    if runs("python3") {
        println!("cargo::rustc-cfg=has_python");
    }
    if has_node && chromium.exists() && packages.iter().all(|package| package.exists()) {
        println!("cargo::rustc-cfg=has_browser");
    }
    if env::var_os("LANTERNE_ONE_FILE").is_some() {
        println!("cargo::rustc-cfg=one_file");
    }
    if env::var_os("LANTERNE_TEST_HOST").is_some_and(|host| host == "spin") {
        println!("cargo::rustc-cfg=spin_host");
        if env::var_os("LANTERNE_TEST_LIBSQL_URL").is_some() && runs("redis-server") {
            println!("cargo::rustc-cfg=scale_out");
        }
    }
}

/// Reruns this script when `path` changes or appears. A path that does not exist would rerun it every time, so its
/// nearest existing ancestor stands in for it.
fn watch(path: &Path) {
    if let Some(existing) = path.ancestors().find(|ancestor| ancestor.exists()) {
        println!("cargo::rerun-if-changed={}", existing.display());
    }
}
