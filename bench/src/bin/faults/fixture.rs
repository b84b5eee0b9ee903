//! A server on an empty database in a temporary folder, and what is known about it when a fault is over.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bench::client::Client;
use bench::process::Process;
use bench::release::{ANY_PORT, DATABASE, Release};
use bench::server::Server;
use tempfile::TempDir;

use crate::health_probe::HealthProbe;
use crate::ledger::Verdict;
use crate::writers::{Seen, Shared, Workload, Writers};

/// How long writers work after a fault has ended.
const AFTER: Duration = Duration::from_secs(1);
/// How long to wait for the service after a fault, longer than it may take.
const BACK_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause between attempts to write.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The address of an account that only reads.
const READER: &str = "reader@example.com";

/// How a server is started.
pub(crate) struct Settings {
    pub(crate) bcrypt_cost: u32,
    /// Whether failed logins, registrations and refreshes are limited, by the address that a client sends.
    pub(crate) has_throttle: bool,
    /// Arguments of `lanterne up`.
    pub(crate) flags: &'static [&'static str],
    /// Commands of the shell that starts it.
    pub(crate) prelude: &'static str,
    /// The directory of compiled components, if it is not the user's.
    pub(crate) cache: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bcrypt_cost: 10, has_throttle: false, flags: &[], prelude: "", cache: None }
    }
}

/// A server with its folder and the writes that it has acknowledged.
pub(crate) struct Fixture<'a> {
    // Declared first, so that the server stops before its folder is removed.
    server: Option<Server>,
    release: &'a Release,
    settings: Settings,
    folder: TempDir,
    pub(crate) shared: Arc<Shared>,
    /// The access token of an account that only reads.
    reader: Option<String>,
}

/// What a fault did: a line of the table.
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// `None` if the fault is about the connections of `/healthz` itself.
    pub(crate) healthz_p99: Option<Duration>,
    /// The longest time from the end of the fault to a successful write.
    pub(crate) back_after: Duration,
    /// The most memory that the last server used, in bytes.
    pub(crate) peak_memory: u64,
    /// How long the slowest write with the reply 503 took.
    pub(crate) slowest_refusal: Option<Duration>,
    /// The bodies of these replies.
    pub(crate) refusals: BTreeSet<String>,
    /// How many writes got no reply.
    pub(crate) unanswered: usize,
    /// What else was seen.
    pub(crate) notes: Vec<String>,
    /// Expectations that were not met.
    pub(crate) broken: Vec<String>,
}

impl<'a> Fixture<'a> {
    /// Starts a server.
    pub(crate) fn start(release: &'a Release, settings: Settings) -> Result<Self> {
        let mut fixture = Self::prepare(release, settings)?;
        fixture.restart()?;
        Ok(fixture)
    }

    /// Starts a server with its log redirected to `log`.
    pub(crate) fn start_logging_to(release: &'a Release, log: impl Into<Stdio>) -> Result<Self> {
        let mut fixture = Self::prepare(release, Settings::default())?;
        fixture.restart_logging_to(log)?;
        Ok(fixture)
    }

    /// Prepares the folder of a server.
    pub(crate) fn prepare(release: &'a Release, settings: Settings) -> Result<Self> {
        let folder = TempDir::new()?;
        Ok(Self { server: None, release, settings, folder, shared: Arc::default(), reader: None })
    }

    /// Starts the server, or another one after it was stopped or killed.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.path("log"))?;
        self.restart_logging_to(log)
    }

    fn restart_logging_to(&mut self, log: impl Into<Stdio>) -> Result<()> {
        let Settings { bcrypt_cost, has_throttle, flags, prelude, cache } = &self.settings;
        let mut command = self.release.up(self.folder.path(), ANY_PORT, prelude)?;
        command.arg("--variable").arg(format!("bcrypt_cost={bcrypt_cost}")).args(*flags).stderr(log);
        let throttle = if *has_throttle { "client_ip_header=x-forwarded-for" } else { "throttle=off" };
        command.args(["--variable", throttle]);
        if let Some(cache) = cache {
            command.env("LANTERNE_CACHE_DIR", cache);
        }
        // The former one has been stopped, but its files must be closed first.
        self.server = None;
        let server = Server::start(&mut command).with_context(|| format!("its log: {}", self.log()))?;
        self.shared.set_server(server.address);
        if self.reader.is_none() {
            let mut client = Client::new(server.address);
            client.register(READER)?;
            self.reader = Some(client.login(READER)?.text("access_token")?);
        }
        self.server = Some(server);
        Ok(())
    }

    /// Changes the flags of the next start.
    pub(crate) fn set_flags(&mut self, flags: &'static [&'static str]) {
        self.settings.flags = flags;
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path(DATABASE)
    }

    /// Returns the key-value file.
    pub(crate) fn key_value(&self) -> PathBuf {
        self.path("state/sqlite_key_value.db")
    }

    /// Returns what the servers have logged to the file so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Returns the access token of an account that only reads.
    pub(crate) fn reader(&self) -> Result<&str> {
        self.reader.as_deref().context("a server has been started")
    }

    pub(crate) fn server(&mut self) -> Result<&mut Server> {
        self.server.as_mut().context("there is a server")
    }

    pub(crate) fn address(&mut self) -> Result<SocketAddr> {
        Ok(self.server()?.address)
    }

    pub(crate) fn process(&mut self) -> Result<Process> {
        Ok(Process(self.server()?.id()))
    }

    /// Stops the server with SIGTERM and returns its last line.
    pub(crate) fn stop(&mut self) -> Result<String> {
        let Some(mut server) = self.server.take() else { return Ok(String::new()) };
        let status = server.stop();
        ensure!(status == Some(0), "after SIGTERM, the exit status is {status:?}: {}", self.log());
        Ok(server.last_line().unwrap_or_default())
    }

    /// Starts writers and lets them work for a moment.
    pub(crate) fn write(&self, workload: Workload) -> Writers {
        let writers = Writers::start(&self.shared, workload);
        thread::sleep(workload.warm_up);
        writers
    }

    /// Plays `fault`, from its beginning to its end, while clients write and `/healthz` is requested.
    pub(crate) fn play<T>(
        mut self,
        workload: Workload,
        fault: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<(Outcome, T)> {
        let writers = self.write(workload);
        let probe = HealthProbe::start(self.address()?);
        let seen = fault(&mut self)?;
        let end = Instant::now();
        let healthz_p99 = probe.finish()?;
        let back_after = self.time_to_write(end)?;
        Ok((self.finish(writers, Some(healthz_p99), back_after)?, seen))
    }

    /// Registers accounts until that succeeds, and returns how long it took from `end`.
    pub(crate) fn time_to_write(&mut self, end: Instant) -> Result<Duration> {
        let mut client = Client::new(self.address()?);
        while self.shared.register(&mut client).is_none() {
            if end.elapsed() > BACK_TIMEOUT {
                bail!("no write succeeds {BACK_TIMEOUT:?} after the fault: {}", self.log());
            }
            thread::sleep(RETRY_PAUSE);
        }
        Ok(end.elapsed())
    }

    /// Lets writers finish, stops the server, and checks its database and the replies to the writers.
    pub(crate) fn finish(
        mut self,
        writers: Writers,
        healthz_p99: Option<Duration>,
        back_after: Duration,
    ) -> Result<Outcome> {
        thread::sleep(AFTER);
        let seen = writers.finish()?;
        let peak_memory = self.process()?.resident_peak_bytes()?;
        self.stop()?;
        let verdict = self.shared.ledger.verify(&self.database())?;
        let mut outcome = Outcome {
            verdict,
            healthz_p99,
            back_after,
            peak_memory,
            slowest_refusal: None,
            refusals: BTreeSet::new(),
            unanswered: 0,
            notes: Vec::new(),
            broken: Vec::new(),
        };
        outcome.judge_replies(seen);
        Ok(outcome)
    }
}

impl Outcome {
    /// Adds what writers have seen: successes, the losers of a refresh (401), the limit of
    /// registrations (429), and 503 with `Retry-After` are expected.
    fn judge_replies(&mut self, seen: Vec<Seen>) {
        let unavailable: Vec<_> = seen.iter().filter(|seen| seen.status == Some(503)).collect();
        self.slowest_refusal = unavailable.iter().map(|seen| seen.latency).max();
        if let Some(slowest) = self.slowest_refusal {
            self.notes.push(format!("{} writes 503 within {:.1} s", unavailable.len(), slowest.as_secs_f32()));
        }
        let without = unavailable.iter().filter(|seen| !seen.has_retry_after).count();
        self.expect(without == 0, || format!("{without} replies 503 without Retry-After"));
        let mut others: Vec<u16> = seen.iter().filter_map(|seen| seen.status).collect();
        others.retain(|status| !matches!(status, 200 | 201 | 401 | 429 | 503));
        self.expect(others.is_empty(), || format!("unexpected replies to writes: {others:?}"));
        self.unanswered = seen.iter().filter(|seen| seen.status.is_none()).count();
        if self.unanswered > 0 {
            self.notes.push(format!("{} writes without reply", self.unanswered));
        }
        self.refusals = seen.into_iter().filter_map(|seen| seen.refusal).collect();
    }

    /// Expects that every write got a reply.
    pub(crate) fn expect_replies(&mut self) {
        let unanswered = self.unanswered;
        self.expect(unanswered == 0, || format!("{unanswered} writes got no reply"));
    }

    /// Records an expectation that was not met.
    pub(crate) fn expect(&mut self, is_met: bool, what: impl FnOnce() -> String) {
        if !is_met {
            self.broken.push(what());
        }
    }
}
