//! Embeds the migrations: writes the list of the folders in `migrations/` as Rust source.

use std::path::{Path, PathBuf};
use std::{env, fs};

use lanterne_schema::Folder;

fn main() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    println!("cargo::rerun-if-changed={}", path.display());
    match Folder::read(&path) {
        Ok(folder) => {
            let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("migrations.rs");
            fs::write(target, list(&path, &folder)).expect("OUT_DIR is writable");
        }
        Err(error) => println!("cargo::error={error}"),
    }
}

fn list(path: &Path, folder: &Folder) -> String {
    let entries = folder.migrations.iter().map(|migration| {
        let folder = path.join(migration.folder());
        let (up, down) = (folder.join("up.sql"), folder.join("down.sql"));
        let (revision, name) = (migration.number, &migration.name);
        format!("Migration {{ revision: {revision}, name: {name:?}, up: include_str!({up:?}), down: include_str!({down:?}) }},\n")
    });
    format!("&[\n{}]", entries.collect::<String>())
}
