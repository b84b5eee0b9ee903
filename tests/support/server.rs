//! A server as a child process.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Stdio};
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
    stdout: Output,
    stderr: Output,
}

/// What a child writes to a pipe.
struct Output {
    text: Arc<Mutex<String>>,
    /// Ends with the output.
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server in `project` with its standard error redirected to `log`, and waits until it listens.
    ///
    /// # Errors
    /// The server exited instead; its output.
    pub(crate) fn start(project: &Project, log: Stdio) -> Result<Self, Finished> {
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
        let mut child = command.stderr(log).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, receiver) = mpsc::channel();
        let mut stdout = Output::read(child.stdout.take().expect("it is piped"), Some(sender));
        let mut stderr = child.stderr.take().map_or_else(Output::elsewhere, |pipe| Output::read(pipe, None));
        match receiver.recv_timeout(START_TIMEOUT) {
            Ok(url) => Ok(Self { child, url, stdout, stderr }),
            Err(RecvTimeoutError::Disconnected) => {
                let status = child.wait().expect("our own child").code();
                Err(Finished { status, stdout: stdout.whole(), stderr: stderr.whole() })
            }
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                panic!("not listening after {START_TIMEOUT:?}: {}", stderr.so_far());
            }
        }
    }

    /// Sends a signal to the server.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("our own child");
    }

    /// Kills the server, and the process that Spin runs components in.
    pub(crate) fn kill(mut self) {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("Linux has it");
        let children = children.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?));
        children.for_each(|child| kill_process(child, Signal::KILL).expect("its child"));
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// Returns the processor time of each thread called `name`.
    #[cfg(target_os = "linux")]
    pub(crate) fn threads(&self, name: &str) -> Vec<Duration> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let time_of = |task: fs::DirEntry| {
            // A thread may have ended since.
            let file = |name| fs::read_to_string(task.path().join(name)).ok();
            let is_called = file("comm")?.trim() == name;
            let nanoseconds = file("schedstat").and_then(|times| times.split(' ').next()?.parse().ok());
            is_called.then(|| Duration::from_nanos(nanoseconds.unwrap_or_default()))
        };
        tasks.filter_map(|task| time_of(task.ok()?)).collect()
    }

    /// Returns what it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.stderr.so_far()
    }

    /// Returns the URL of the metrics, which is printed before that of the server.
    pub(crate) fn metrics_url(&self) -> Option<String> {
        let stdout = self.stdout.so_far();
        stdout.lines().find_map(|line| line.strip_prefix("Metrics on ")).map(str::to_owned)
    }

    /// Stops the server and returns its status and its whole output.
    pub(crate) fn finish(mut self) -> Finished {
        let status = self.stop();
        Finished { status, stdout: self.stdout.whole(), stderr: self.stderr.whole() }
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
            eprintln!("the server's log:\n{}", self.stderr.so_far());
        }
    }
}

impl Output {
    /// Drains a pipe, so that the child never blocks, and sends the first URL that is announced.
    fn read(pipe: impl Read + Send + 'static, mut address: Option<Sender<String>>) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let output = text.clone();
        let reader = thread::spawn(move || {
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
        });
        Self { text, reader: Some(reader) }
    }

    /// Output that is not piped to the test.
    fn elsewhere() -> Self {
        Self { text: Arc::default(), reader: None }
    }

    fn so_far(&self) -> String {
        self.text.lock().expect("no reader panicked").clone()
    }

    /// Waits for the end of the output.
    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader does not panic");
        }
        self.so_far()
    }
}
