//! A server as a child process.

use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::artifacts::Host;
use super::project::{Finished, Project};

/// How long a server may take to listen. The first start compiles the component.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a server may take to stop before it is killed: a little longer than it waits for requests in flight.
const STOP_TIMEOUT: Duration = Duration::from_secs(12);

/// A running server. Dropping it stops it.
pub(crate) struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    output: Arc<Mutex<String>>,
    /// Ends with the output.
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server in `project` and waits until it listens.
    ///
    /// # Errors
    /// The server exited instead; its output.
    pub(crate) fn start(project: &Project) -> Result<Self, Finished> {
        let host = Host::under_test();
        // Spin does not report the port chosen for port 0. Another program may take the free port before Spin does;
        // the server then fails to start.
        let listen = match host {
            Host::Lanterne => "127.0.0.1:0".to_owned(),
            Host::Spin => {
                if !project.is_migrated() {
                    project.run("migrate", &["upgrade", "head"]).succeeded();
                }
                let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
                free.expect("a free port").to_string()
            }
        };
        let mut command = project.serve(host, &listen);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, receiver) = mpsc::channel();
        let stdout = Arc::new(Mutex::new(String::new()));
        let stderr = Arc::new(Mutex::new(String::new()));
        let readers = [
            read_lines(child.stdout.take().expect("it is piped"), stdout.clone(), Some(sender)),
            read_lines(child.stderr.take().expect("it is piped"), stderr.clone(), None),
        ];
        match receiver.recv_timeout(START_TIMEOUT) {
            Ok(url) => {
                let [_, reader] = readers;
                Ok(Self { child, url, output: stderr, reader: Some(reader) })
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = child.wait().expect("our own child").code();
                for reader in readers {
                    reader.join().expect("a reader does not panic");
                }
                let text = |output: &Mutex<String>| output.lock().expect("no reader panicked").clone();
                Err(Finished { status, stdout: text(&stdout), stderr: text(&stderr) })
            }
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                panic!("not listening after {START_TIMEOUT:?}: {}", stderr.lock().expect("no reader panicked"));
            }
        }
    }

    /// Stops the server and returns its whole standard error.
    pub(crate) fn stop_and_log(&mut self) -> String {
        self.stop();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader does not panic");
        }
        self.output.lock().expect("no reader panicked").clone()
    }

    /// Stops the server with SIGTERM and returns its exit status, or `None` if it had to be killed.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        // Fails if the server has exited already.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let start = Instant::now();
        while start.elapsed() < STOP_TIMEOUT {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
        if thread::panicking() {
            eprintln!("the server's log:\n{}", self.output.lock().expect("no reader panicked"));
        }
    }
}

/// Drains a pipe into `output`, so that the child never blocks, and sends the first URL that is announced.
fn read_lines(
    pipe: impl Read + Send + 'static,
    output: Arc<Mutex<String>>,
    address: Option<Sender<String>>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut address = address;
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // `lanterne` prints "Listening on http://...", `spin` "Serving http://...".
            let url = ["Listening on ", "Serving "].iter().find_map(|words| line.strip_prefix(words));
            if let (Some(url), Some(sender)) = (url, address.take_if(|_| url.is_some())) {
                let _ = sender.send(url.trim().to_owned());
            }
            let mut output = output.lock().expect("no test panics with it");
            output.push_str(&line);
            output.push('\n');
        }
    })
}
