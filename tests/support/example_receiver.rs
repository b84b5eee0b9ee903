//! A receiver of `examples/receiver/` as a child process.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::artifacts::root;
use super::project::Finished;

/// How long a receiver may take to listen, or a message to arrive.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The secret of webhooks under test.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_QWxsIHRlc3RzIG9mIHRoaXMgcHJvamVjdCB1c2UgaXQ=";

/// A running receiver. Dropping it stops it.
pub(crate) struct ExampleReceiver {
    child: Child,
    folder: TempDir,
    /// `http://127.0.0.1:PORT/`
    pub(crate) url: String,
}

impl ExampleReceiver {
    /// Prepares `program` to run the example `file`.
    pub(crate) fn command(program: &str, file: &str, secret: &str) -> Command {
        let mut command = Command::new(program);
        command.arg(root().join("examples/receiver").join(file)).stdin(Stdio::null());
        command.env("MAIL_WEBHOOK_SECRET", secret).env("PORT", "0");
        command
    }

    /// Lets `program` run the example `file` with [`WEBHOOK_SECRET`], and waits until it listens.
    #[track_caller]
    pub(crate) fn start(program: &str, file: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let create = |name: &str| File::create(folder.path().join(name)).expect("the folder can be written");
        let mut command = Self::command(program, file, WEBHOOK_SECRET);
        let spawned = command.stdout(create("stdout")).stderr(create("stderr")).spawn();
        let child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut receiver = Self { child, folder, url: String::new() };
        let lines = receiver.wait(|lines| !lines.is_empty());
        receiver.url = lines[0].strip_prefix("Listening on ").expect("an address").to_owned();
        receiver
    }

    /// The variables that let the API post its messages here.
    pub(crate) fn variables(&self) -> [(&'static str, &str); 3] {
        [("mail", "webhook"), ("mail_webhook_url", &self.url), ("mail_webhook_secret", WEBHOOK_SECRET)]
    }

    /// The file with its output.
    pub(crate) fn output(&self) -> PathBuf {
        self.folder.path().join("stdout")
    }

    /// Waits until it has printed `count` messages, and returns them.
    #[track_caller]
    pub(crate) fn messages(&self, count: usize) -> Vec<Value> {
        let lines = self.wait(|lines| lines.len() > count);
        lines[1..].iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Stops it, and returns its output.
    pub(crate) fn finish(mut self) -> Finished {
        let _ = self.child.kill();
        let status = self.child.wait().expect("our own child").code();
        let read = |name| fs::read_to_string(self.folder.path().join(name)).expect("it was created");
        Finished { status, stdout: read("stdout"), stderr: read("stderr") }
    }

    /// Waits until the complete lines of the output are as expected.
    #[track_caller]
    fn wait(&self, is_expected: impl Fn(&[String]) -> bool) -> Vec<String> {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(self.output()).expect("it was created");
            let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
            let lines: Vec<_> = complete.lines().map(str::to_owned).collect();
            if is_expected(&lines) {
                return lines;
            }
            let error = || fs::read_to_string(self.folder.path().join("stderr"));
            assert!(start.elapsed() < TIMEOUT, "{lines:?}\n{:?}", error());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for ExampleReceiver {
    fn drop(&mut self) {
        // Fails if it has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
