//! The documentation in a browser. `e2e/docs.mjs` is the test; here it gets a server.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::TestApp;

#[test]
fn the_documentation_works_in_a_browser() {
    let e2e = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e");
    let chromium = std::env::var_os("CHROMIUM").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from);
    let node = Command::new("node").arg("--version").output();
    if node.is_err() || !chromium.exists() || !e2e.join("node_modules").exists() {
        eprintln!("skipped: it needs node, {} and `npm ci --prefix e2e`", chromium.display());
        return;
    }
    let app = TestApp::start();
    let mut script = Command::new("node");
    script.arg(e2e.join("docs.mjs")).arg(format!("http://{}", app.address())).arg(e2e.join("screenshots"));
    let output = script.output().expect("node runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
