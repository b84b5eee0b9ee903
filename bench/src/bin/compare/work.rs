//! What is measured: the kinds of load, and one server under one of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use bench::server::Server;
use tokio::time::sleep;

use crate::load::{self, Outcome};
use crate::usage;
use crate::user::{Request, User};

/// The share of the throughput at which latencies are measured.
pub(crate) const LATENCY_LOAD: f64 = 0.6;
/// The highest rate at which latencies are measured, in requests per second. At a higher one the load generator itself is
/// late, and its delays would count as the server's.
pub(crate) const LATENCY_RATE_MAX: f64 = 5000.0;
/// How long clients send requests before the measurement.
const WARM_UP: Duration = Duration::from_millis(500);
/// The number of clients that log in during a storm.
pub(crate) const STORM_CLIENTS: usize = 16;

/// How a request is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Method {
    /// Throughput and processor time in a closed loop, then latency at [`LATENCY_LOAD`] of that throughput, or
    /// [`LATENCY_RATE_MAX`].
    Light,
    /// All in a closed loop: these requests take so long that their clients are never late.
    Heavy,
    /// Latency at this rate, while [`STORM_CLIENTS`] other clients log in; the throughput is that of the logins.
    Storm(f64),
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
pub(crate) const WORKS: [Work; 10] = [
    work("healthz", "`GET /healthz`", Request::Healthz, 8, Method::Light),
    work("me", "`GET /users/me`", Request::Me, 8, Method::Light),
    work("refresh", "`POST /auth/refresh`", Request::Refresh, 8, Method::Light),
    work("list", "`GET /admin/users`", Request::List, 8, Method::Light),
    work("register", "`POST /auth/register`", Request::Register, 8, Method::Heavy),
    work("login", "`POST /auth/login`, 1 client", Request::Login, 1, Method::Heavy),
    work("login-8", "`POST /auth/login`, 8 clients", Request::Login, 8, Method::Heavy),
    work("login-16", "`POST /auth/login`, 16 clients", Request::Login, 16, Method::Heavy),
    work("storm-healthz", "`GET /healthz`", Request::Healthz, 8, Method::Storm(100.0)),
    work("storm-refresh", "`POST /auth/refresh`", Request::Refresh, 8, Method::Storm(50.0)),
];

/// The figures of one server and one work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    /// Requests per second; in a storm, logins per second.
    pub(crate) throughput: f64,
    /// Latencies in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Milliseconds of processor time per request; `None` in a storm, whose requests differ.
    pub(crate) cpu: Option<f64>,
    /// The share of one processor that the load generator used in the closed loop.
    pub(crate) generator: f64,
    pub(crate) errors: u64,
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
    /// Measures one work, for about the duration `time`.
    pub(crate) async fn measure(&mut self, work: &Work, time: Duration) -> Result<Measurement> {
        match work.method {
            Method::Light => self.light(work, time / 2).await,
            Method::Heavy => {
                let (closed, cpu, generator) = self.closed(work, time).await?;
                Ok(Measurement::of(closed.throughput(), Some(cpu), generator, &[closed]))
            }
            Method::Storm(rate) => self.storm(work, rate, time).await,
        }
    }

    async fn light(&mut self, work: &Work, time: Duration) -> Result<Measurement> {
        self.closed(work, WARM_UP).await?;
        let (closed, cpu, generator) = self.closed(work, time).await?;
        let rate = (closed.throughput() * LATENCY_LOAD).clamp(1.0, LATENCY_RATE_MAX);
        let address = self.address();
        let constant = load::constant(address, self.clients(work.request), work.request, rate, time).await?;
        let throughput = closed.throughput();
        Ok(Measurement::of(throughput, Some(cpu), generator, &[constant, closed]))
    }

    async fn storm(&mut self, work: &Work, rate: f64, time: Duration) -> Result<Measurement> {
        let address = self.address();
        let mut guests = std::mem::take(&mut self.guests);
        let users = self.clients(work.request);
        // The storm begins before the measurement and ends after it.
        let storm = load::closed(address, &mut guests, Request::Login, time + 2 * WARM_UP);
        let latency = async {
            sleep(WARM_UP).await;
            load::constant(address, users, work.request, rate, time).await
        };
        let (logins, latency) = tokio::try_join!(storm, latency)?;
        self.guests = guests;
        Ok(Measurement::of(logins.throughput(), None, 0.0, &[latency, logins]))
    }

    /// Runs a closed loop. Returns also the server's processor time per request in milliseconds, and the share of one
    /// processor that the load generator used.
    async fn closed(&mut self, work: &Work, time: Duration) -> Result<(Outcome, f64, f64)> {
        let (server, address) = (self.server.id(), self.address());
        let all = self.clients(work.request);
        let mut some = all.split_off(all.len().saturating_sub(work.clients));
        let (start, before) = (Instant::now(), usage::tree_usage(server)?.cpu);
        let generator = usage::usage(std::process::id())?.cpu;
        let outcome = load::closed(address, &mut some, work.request, time).await?;
        let generator = usage::usage(std::process::id())?.cpu - generator;
        let cpu = usage::tree_usage(server)?.cpu.saturating_sub(before);
        self.clients(work.request).append(&mut some);
        let per_request = cpu.as_secs_f64() * 1000.0 / outcome.latencies.len().max(1) as f64;
        Ok((outcome, per_request, generator.as_secs_f64() / start.elapsed().as_secs_f64()))
    }

    fn clients(&mut self, request: Request) -> &mut Vec<User> {
        match request {
            Request::List | Request::Search => &mut self.admins,
            Request::Login => &mut self.guests,
            Request::Healthz | Request::Register | Request::Refresh | Request::Me => &mut self.users,
        }
    }

    fn address(&self) -> SocketAddr {
        self.server.address
    }
}

impl Measurement {
    /// Takes latencies from the first outcome, and errors from all.
    pub(crate) fn of(throughput: f64, cpu: Option<f64>, generator: f64, outcomes: &[Outcome]) -> Self {
        let quantile = |share| outcomes.first().map_or(f64::NAN, |outcome| outcome.quantile(share));
        for error in outcomes.iter().filter_map(|outcome| outcome.first_error.as_ref()) {
            eprintln!("  first error: {error:#}");
        }
        Self {
            throughput,
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            cpu,
            generator,
            errors: outcomes.iter().map(|outcome| outcome.errors).sum(),
        }
    }
}
