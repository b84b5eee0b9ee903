//! The documentation in a browser: `e2e/docs.mjs` against a server.

use std::path::Path;
use std::process::Command;

use crate::support::TestApp;

#[test]
#[cfg_attr(not(has_browser), ignore = "needs Node, Chromium and the packages of e2e/ (npm ci --prefix e2e)")]
fn the_documentation_works_in_a_browser() {
    let e2e = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e");
    let app = TestApp::start();
    let mut script = Command::new("node");
    script.arg(e2e.join("docs.mjs")).arg(format!("http://{}", app.address()));
    let output = script.output().expect("node runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
