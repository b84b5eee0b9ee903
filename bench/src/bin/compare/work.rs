//! What is measured: the kinds of load, and one server under one of them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bench::load::{self, Outcome};
use bench::process::Process;
use bench::server::Server;
use bench::user::{Request, User};

/// The rate at which latencies are measured, in requests per second.
pub(crate) const LATENCY_RATE: f64 = 500.0;
/// A server whose throughput is less than this many times [`LATENCY_RATE`] gets [`SLOW_LOAD`] instead.
pub(crate) const HEADROOM: f64 = 1.5;
/// The share of its own throughput at which the latencies of a slower server are measured.
pub(crate) const SLOW_LOAD: f64 = 0.6;
/// How long clients send requests before the measurement.
const WARM_UP: Duration = Duration::from_millis(500);
/// The number of clients that log in during a storm.
pub(crate) const STORM_CLIENTS: usize = 16;
/// The names of works that others are compared with.
pub(crate) const HEALTHZ: &str = "healthz";
pub(crate) const ME: &str = "me";
pub(crate) const LOGIN_8: &str = "login-8";
pub(crate) const LOGIN_16: &str = "login-16";

/// How a request is measured.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Method {
    /// Throughput and processor time in a closed loop, then latency at [`LATENCY_RATE`] or [`SLOW_LOAD`].
    Light,
    /// All in a closed loop: these requests take so long that their clients are never late.
    Heavy,
    /// While [`STORM_CLIENTS`] other clients log in: at this rate, or in a closed loop.
    Storm(Option<f64>),
}

/// A load.
pub(crate) struct Work {
    /// The name on the command line.
    pub(crate) name: &'static str,
    /// The name in results, as Markdown.
    pub(crate) title: &'static str,
    pub(crate) request: Request,
    pub(crate) clients: usize,
    pub(crate) method: Method,
}

/// What the comparison measures.
pub(crate) const WORKS: [Work; 11] = [
    work(HEALTHZ, "`GET /healthz`", Request::Healthz, 8, Method::Light),
    work(ME, "`GET /users/me`", Request::Me, 8, Method::Light),
    work("refresh", "`POST /auth/refresh`", Request::Refresh, 8, Method::Light),
    work("list", "`GET /admin/users`", Request::List, 8, Method::Light),
    work("register", "`POST /auth/register`", Request::Register, 8, Method::Heavy),
    work("login", "`POST /auth/login`, 1 client", Request::Login, 1, Method::Heavy),
    work(LOGIN_8, "`POST /auth/login`, 8 clients", Request::Login, 8, Method::Heavy),
    work(LOGIN_16, "`POST /auth/login`, 16 clients", Request::Login, STORM_CLIENTS, Method::Heavy),
    work("storm-healthz", "`GET /healthz`, 200/s", Request::Healthz, 8, Method::Storm(Some(200.0))),
    work("storm-refresh", "`POST /auth/refresh`, 20/s", Request::Refresh, 8, Method::Storm(Some(20.0))),
    work("storm-closed", "`GET /healthz`, 2 clients", Request::Healthz, 2, Method::Storm(None)),
];

/// The figures of one server and one work.
#[derive(Clone, Copy)]
pub(crate) struct Measurement {
    /// Requests per second in the closed loop, if there is one.
    pub(crate) throughput: f64,
    /// Logins per second, in a storm.
    pub(crate) logins: Option<f64>,
    /// Latencies in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Whether the latencies are those at [`SLOW_LOAD`].
    pub(crate) is_slow: bool,
    /// Milliseconds of processor time per request; `None` in a storm, whose requests differ.
    pub(crate) cpu: Option<f64>,
    /// The share of one processor that the load generator used in the closed loop.
    pub(crate) generator: f64,
    pub(crate) errors: usize,
}

/// A server, and the accounts that use it.
pub(crate) struct Target<'a> {
    pub(crate) server: &'a Server,
    /// Accounts with a session of their own.
    pub(crate) users: Vec<User>,
    /// An administrator, once per client.
    pub(crate) admins: Vec<User>,
    /// Accounts that only log in.
    pub(crate) guests: Vec<User>,
}

const fn work(name: &'static str, title: &'static str, request: Request, clients: usize, method: Method) -> Work {
    Work { name, title, request, clients, method }
}

impl Target<'_> {
    /// Measures one work. Each of its loads takes about the duration `time`, or half of it.
    pub(crate) fn measure(&mut self, work: &Work, time: Duration) -> Result<Measurement> {
        match work.method {
            Method::Light => self.light(work, time),
            Method::Heavy => self.closed(work, time),
            Method::Storm(rate) => self.storm(work, rate, time),
        }
    }

    fn light(&mut self, work: &Work, time: Duration) -> Result<Measurement> {
        self.closed(work, WARM_UP)?;
        let closed = self.closed(work, time / 2)?;
        let is_slow = closed.throughput < HEADROOM * LATENCY_RATE;
        let rate = if is_slow { (closed.throughput * SLOW_LOAD).max(1.0) } else { LATENCY_RATE };
        let constant = load::constant(self.clients(work), work.request, rate, time)?;
        let Measurement { p50, p99, p999, errors, .. } = Measurement::of(&constant, &[]);
        Ok(Measurement { p50, p99, p999, is_slow, errors: errors + closed.errors, ..closed })
    }

    fn closed(&mut self, work: &Work, time: Duration) -> Result<Measurement> {
        let (server, generator) = (Process(self.server.id()), Process(std::process::id()));
        let (start, server_before, generator_before) = (Instant::now(), total(server)?, generator.processor_time()?);
        let outcome = load::closed(self.clients(work), work.request, time)?;
        let used = (generator.processor_time()? - generator_before).as_secs_f64();
        let cpu = total(server)?.saturating_sub(server_before).as_secs_f64() * 1000.0;
        let measurement = Measurement::of(&outcome, &[]);
        let cpu = Some(cpu / outcome.latencies.len().max(1) as f64);
        Ok(Measurement { cpu, generator: used / start.elapsed().as_secs_f64(), ..measurement })
    }

    fn storm(&mut self, work: &Work, rate: Option<f64>, time: Duration) -> Result<Measurement> {
        let mut guests = std::mem::take(&mut self.guests);
        let (logins, outcome) = thread::scope(|scope| {
            // The storm begins before the measurement and ends after it.
            let logins = scope.spawn(|| load::closed(&mut guests, Request::Login, time + 2 * WARM_UP));
            thread::sleep(WARM_UP);
            let users = self.clients(work);
            let outcome = match rate {
                Some(rate) => load::constant(users, work.request, rate, time),
                None => load::closed(users, work.request, time),
            }?;
            anyhow::Ok((logins.join().map_err(|_| anyhow!("a client panicked"))??, outcome))
        })?;
        self.guests = guests;
        Ok(Measurement { logins: Some(logins.throughput()), ..Measurement::of(&outcome, &[&logins]) })
    }

    fn clients(&mut self, work: &Work) -> &mut [User] {
        let users = match work.request {
            Request::List | Request::Search => &mut self.admins,
            Request::Login => &mut self.guests,
            Request::Healthz | Request::Register | Request::Refresh | Request::Me => &mut self.users,
        };
        let count = work.clients.min(users.len());
        &mut users[..count]
    }
}

impl Measurement {
    /// Takes the figures from one outcome, and errors also from others.
    pub(crate) fn of(outcome: &Outcome, others: &[&Outcome]) -> Self {
        let outcomes = || [outcome].into_iter().chain(others.iter().copied());
        for error in outcomes().filter_map(|outcome| outcome.first_error.as_ref()) {
            eprintln!("  first error: {error:#}");
        }
        Self {
            throughput: outcome.throughput(),
            logins: None,
            p50: outcome.quantile(0.5),
            p99: outcome.quantile(0.99),
            p999: outcome.quantile(0.999),
            is_slow: false,
            cpu: None,
            generator: 0.0,
            errors: outcomes().map(|outcome| outcome.errors).sum(),
        }
    }
}

/// Returns the processor time of a server's processes.
fn total(server: Process) -> Result<Duration> {
    // A process may end at any time.
    Ok(server.tree()?.into_iter().filter_map(|process| process.processor_time().ok()).sum())
}
