//! Embeds the migrations: writes the Rust list of the folders in `migrations/`, and refuses to build a broken one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    println!("cargo::rerun-if-changed={}", folder.display());
    match list(&folder) {
        Ok(code) => {
            let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("migrations.rs");
            fs::write(target, code).expect("OUT_DIR can be written");
        }
        Err(message) => println!("cargo::error=migrations/: {message}"),
    }
}

/// The Rust source of the list; `Err` names the folder that breaks a rule of `migrations/README.md`.
fn list(folder: &Path) -> Result<String, String> {
    let folder = folder.canonicalize().map_err(|error| error.to_string())?;
    let entries = fs::read_dir(&folder).map_err(|error| error.to_string())?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| p.is_dir()).collect();
    paths.sort();
    let mut code = String::from("&[\n");
    for (index, path) in paths.iter().enumerate() {
        let folder_name = path.file_name().and_then(|name| name.to_str()).ok_or("a name is not UTF-8")?;
        let expected = format!("{:04}_", index + 1);
        let name = folder_name.strip_prefix(&expected);
        let name = name.ok_or_else(|| format!("{folder_name} should begin with {expected} (no gaps, no doubles)"))?;
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            return Err(format!("{folder_name} should be a number and lower case words joined by _"));
        }
        for file in ["up.sql", "down.sql"] {
            if !path.join(file).is_file() {
                return Err(format!("{folder_name} has no {file}"));
            }
        }
        let (up, down) = (path.join("up.sql"), path.join("down.sql"));
        writeln!(
            code,
            "Migration {{ revision: {}, name: {name:?}, up: include_str!({up:?}), down: include_str!({down:?}) }},",
            index + 1
        )
        .expect("a String takes everything");
    }
    code.push(']');
    Ok(code)
}
