//! Embeds the assets of the documentation pages: Swagger UI from the crate that ships its release as a zip file, and our
//! own files. So the repository contains no minified code, and the build downloads nothing.

use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

/// The files of Swagger UI that the page loads, with content types.
const SWAGGER_UI: [(&str, &str); 2] =
    [("swagger-ui-bundle.js", "text/javascript; charset=utf-8"), ("swagger-ui.css", "text/css; charset=utf-8")];
/// The files in `src/docs/assets`, with content types.
const OWN: [(&str, &str); 5] = [
    ("docs.js", "text/javascript; charset=utf-8"),
    ("page.css", "text/css; charset=utf-8"),
    ("docs.css", "text/css; charset=utf-8"),
    ("reference.css", "text/css; charset=utf-8"),
    ("lantern.svg", "image/svg+xml"),
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/docs/assets");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut version = Sha256::new();
    let mut table = String::new();

    let mut zip = ZipArchive::new(Cursor::new(utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED))?;
    for (name, content_type) in SWAGGER_UI {
        let path = out.join(name).with_added_extension("gz");
        let bytes = gzipped(&mut zip, &format!("/dist/{name}"))?;
        version.update(&bytes);
        fs::write(&path, bytes)?;
        table.push_str(&line(name, content_type, true, &path));
    }
    for (name, content_type) in OWN {
        let path = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("src/docs/assets").join(name);
        version.update(fs::read(&path)?);
        table.push_str(&line(name, content_type, false, &path));
    }

    let version: String = version.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let count = SWAGGER_UI.len() + OWN.len();
    let source = format!("const VERSION: &str = {version:?};\nstatic ASSETS: [Asset; {count}] = [\n{table}];\n");
    fs::write(out.join("assets.rs"), source)?;
    Ok(())
}

/// One line of the table that `src/docs/assets.rs` includes.
fn line(name: &str, content_type: &str, gzipped: bool, path: &Path) -> String {
    let bytes = format!("include_bytes!({path:?})");
    format!("Asset::new({name:?}, {content_type:?}, {gzipped}, {bytes}),\n")
}

/// Converts a file of the zip to gzip without recompressing it: both formats contain a deflate stream (RFC 1951), which
/// gzip (RFC 1952) puts between a header of ten bytes and the checksum and length.
fn gzipped(zip: &mut ZipArchive<Cursor<&[u8]>>, path: &str) -> Result<Vec<u8>> {
    let is_it = |name: zip::result::ZipResult<std::borrow::Cow<'_, str>>| name.is_ok_and(|name| name.ends_with(path));
    let index = zip.file_names().position(is_it).ok_or(format!("no {path} in the zip"))?;
    let mut file = zip.by_index_raw(index)?;
    if file.compression() != zip::CompressionMethod::DEFLATE {
        return Err(format!("{path} is not deflated").into());
    }
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.read_to_end(&mut bytes)?;
    bytes.extend(file.crc32().to_le_bytes());
    bytes.extend(u32::try_from(file.size())?.to_le_bytes());
    Ok(bytes)
}
