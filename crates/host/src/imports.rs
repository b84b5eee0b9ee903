//! Whether a component's imports are granted by its manifest, checked before it is linked.

use anyhow::{Result, bail};
use wasmtime::component::Component;

use crate::engine::Engine;
use crate::manifest::{self, Manifest};

/// Interfaces that every component may use: they show it nothing of the machine.
const FREE: [&str; 9] = [
    "spin:variables/",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:config/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// Interfaces that need a grant, and the key of the manifest that gives it.
const GRANTED: [(&str, &str); 2] = [("spin:sqlite/", "sqlite_databases"), ("wasi:keyvalue/", "key_value_stores")];

/// Refuses a component that imports what it is not granted, or what this host does not have.
pub(crate) fn check(
    engine: &Engine,
    component: &Component,
    name: &str,
    manifest: &Manifest,
    granted: &manifest::Component,
) -> Result<()> {
    let component = component.component_type();
    for (interface, _) in component.imports(engine.wasmtime()) {
        if FREE.iter().any(|known| interface.starts_with(known)) {
            continue;
        }
        let needed = GRANTED.iter().find(|(known, _)| interface.starts_with(known));
        let Some((_, key)) = needed else {
            bail!("the component {name:?} imports {interface}, which this host does not have");
        };
        let names = match *key {
            "sqlite_databases" => &granted.sqlite_databases,
            _ => &granted.key_value_stores,
        };
        if names.is_empty() {
            bail!(
                "the component {name:?} imports {interface}, which is not granted: add `{key} = [\"default\"]` to [component.{name}] in {}",
                manifest.path.display()
            );
        }
    }
    Ok(())
}
