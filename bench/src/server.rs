//! A server as a child process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a stopped server may take before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// A running server. Dropping it stops it.
pub struct Server {
    child: Child,
    /// The address it listens on.
    pub address: SocketAddr,
    /// Reads standard output, and returns its last line.
    output: Option<JoinHandle<Option<String>>>,
}

impl Server {
    /// Starts `command`, and waits until it prints `Listening on http://ADDRESS` to standard output, as `lanterne` does.
    ///
    /// # Errors
    /// It cannot be started, or exits instead.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let Some(url) = lines.find_map(|line| line.strip_prefix("Listening on http://").map(str::to_owned)) else {
            bail!("{command:?} does not listen: {}", child.wait()?);
        };
        // Drained, so that the server never waits for a reader.
        let output = Some(thread::spawn(move || lines.last()));
        Ok(Self { child, address: url.trim().parse()?, output })
    }

    /// Starts `command`, a server that will listen on `address`, without waiting for it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        Ok(Self { child, address, output: None })
    }

    /// Returns the exit status if the server has exited.
    ///
    /// # Errors
    /// Its status cannot be read.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the server.
    ///
    /// # Errors
    /// It has exited.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Kills the server with SIGKILL, and waits for its end.
    ///
    /// # Errors
    /// It has exited.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Stops the server with SIGTERM and returns its exit status, or `None` if it had to be killed.
    pub fn stop(&mut self) -> Option<i32> {
        // Fails if the server has exited already.
        let _ = self.signal(Signal::TERM);
        let start = Instant::now();
        while start.elapsed() < STOP_TIMEOUT {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.kill();
        None
    }

    /// Waits for the end of standard output, and returns its last line.
    pub fn last_line(&mut self) -> Option<String> {
        self.output.take()?.join().ok().flatten()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}
