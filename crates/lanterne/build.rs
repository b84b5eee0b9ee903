//! With the feature `embed`: builds the components as the manifests say, and writes the app as Rust source.
//! `LANTERNE_COMPONENTS` names a directory of cargo that has them already, such as `target`.

fn main() {
    #[cfg(feature = "embed")]
    embed::write();
}

#[cfg(feature = "embed")]
mod embed {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::{env, fs};

    use toml::Table;

    /// The variable that names built components.
    const BUILT: &str = "LANTERNE_COMPONENTS";
    /// The target of components.
    const TARGET: &str = "wasm32-wasip2";
    /// What the components and the app are built from.
    const SOURCES: [&str; 8] =
        ["src", "crates", "wit", "migrations", "build.rs", "Cargo.lock", "spin.toml", "spin.commands.toml"];
    /// Settings of the outer build, which must not reach the nested one.
    const REMOVED_FROM_ENVIRONMENT: [&str; 4] =
        ["CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"];

    /// Writes `embedded.rs` to the directory of generated files.
    pub(super) fn write() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace exists");
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        for source in SOURCES {
            println!("cargo::rerun-if-changed={}", root.join(source).display());
        }
        println!("cargo::rerun-if-env-changed={BUILT}");
        let built = env::var_os(BUILT).map(PathBuf::from);
        let target_dir = built.clone().unwrap_or_else(|| out.join("components"));
        if built.is_none() {
            install_target(&root);
        }
        let (mut commands, mut components) = (BTreeSet::new(), String::new());
        for manifest in ["spin.toml", "spin.commands.toml"] {
            let manifest: Table = fs::read_to_string(root.join(manifest)).expect("a manifest").parse().expect("TOML");
            for component in manifest["component"].as_table().expect("components").values() {
                let source = component["source"].as_str().expect("a source");
                let command = component["build"]["command"].as_str().expect("a command");
                if built.is_none() && commands.insert(command.to_owned()) {
                    build(&root, command, &target_dir);
                }
                let built = target_dir.join(source.strip_prefix("target/").expect("a source in target/"));
                writeln!(components, "({source:?}, include_bytes!({built:?})),").expect("a string");
            }
        }
        let (main, commands) = (root.join("spin.toml"), root.join("spin.commands.toml"));
        let migrations = migrations(&root.join("migrations"));
        let text = format!(
            "pub(super) static APP: EmbeddedApp = EmbeddedApp {{\n\
             main: include_str!({main:?}),\ncommands: include_str!({commands:?}),\ncomponents: &[{components}],\n}};\n\
             pub(super) static MIGRATIONS: &[(&str, &str)] = &[{migrations}];\n"
        );
        fs::write(out.join("embedded.rs"), text).expect("OUT_DIR is writable");
    }

    /// Runs the build command of a component, with the files of cargo in `target_dir`: the outer cargo has locked its own.
    fn build(root: &Path, command: &str, target_dir: &Path) {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).current_dir(root).env("CARGO_TARGET_DIR", target_dir).stdin(Stdio::null());
        for name in REMOVED_FROM_ENVIRONMENT {
            shell.env_remove(name);
        }
        // Standard output has the directives for cargo.
        let status = shell.stdout(std::io::stderr()).status().expect("a shell");
        assert!(status.success(), "{command} failed");
    }

    fn install_target(root: &Path) {
        let printed = Command::new("rustc").args(["--print", "sysroot"]).current_dir(root).output().expect("rustc");
        let sysroot = PathBuf::from(String::from_utf8_lossy(&printed.stdout).trim());
        if !sysroot.join("lib/rustlib").join(TARGET).is_dir() {
            let mut rustup = Command::new("rustup");
            rustup.args(["target", "add", TARGET]).current_dir(root).stdout(std::io::stderr());
            assert!(rustup.status().is_ok_and(|status| status.success()), "run `rustup target add {TARGET}`");
        }
    }

    /// Lists the scripts in the folder `migrations`, by their paths in it.
    fn migrations(folder: &Path) -> String {
        let entries = fs::read_dir(folder).expect("migrations").map(|entry| entry.expect("an entry").path());
        let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        let scripts = folders.iter().flat_map(|folder| ["up.sql", "down.sql"].map(|file| folder.join(file)));
        scripts.fold(String::new(), |mut list, script| {
            let name = script.strip_prefix(folder).expect("a path in the folder");
            writeln!(list, "({name:?}, include_str!({script:?})),").expect("a string");
            list
        })
    }
}
