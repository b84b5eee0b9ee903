//! Clients that register accounts, log in and refresh tokens, and record what was acknowledged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bench::client::{Client, Reply};

use crate::ledger::Ledger;

/// The pause after a write that was refused, or that got no reply.
const PAUSE: Duration = Duration::from_millis(100);

/// What writers share with the fault: where the server is, and what they have seen.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) ledger: Ledger,
    server: Mutex<Option<SocketAddr>>,
    replies: Mutex<Vec<Seen>>,
    is_over: AtomicBool,
    next_account: AtomicUsize,
}

/// The reply to a write.
#[derive(Clone)]
pub(crate) struct Seen {
    /// `None` if there was no reply.
    pub(crate) status: Option<u16>,
    pub(crate) has_retry_after: bool,
    /// The body of a reply 503.
    pub(crate) refusal: Option<String>,
    pub(crate) latency: Duration,
}

/// How many writers there are, and what they do.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    /// Clients that register accounts.
    pub(crate) registering: usize,
    /// Clients that log in to an account of their own.
    pub(crate) logging_in: usize,
    /// Groups of clients that present the same refresh token at the same time.
    pub(crate) refreshing: usize,
    /// Clients in such a group.
    pub(crate) group_size: usize,
    /// How long they work before the fault begins.
    pub(crate) warm_up: Duration,
}

/// No writers.
pub(crate) const NO_WRITES: Workload =
    Workload { registering: 0, logging_in: 0, refreshing: 0, group_size: 0, warm_up: Duration::from_secs(1) };
/// Writers of each kind.
pub(crate) const WORKLOAD: Workload =
    Workload { registering: 2, logging_in: 1, refreshing: 4, group_size: 3, ..NO_WRITES };

/// Running writers.
pub(crate) struct Writers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Shared {
    /// Sets where the server is now.
    pub(crate) fn set_server(&self, address: SocketAddr) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// Registers a new account, records it, and returns its address if that was acknowledged.
    pub(crate) fn register(&self, client: &mut Client) -> Option<String> {
        let email = format!("user{}@example.com", self.next_account.fetch_add(1, Ordering::Relaxed));
        let reply = self.note(|| client.register(&email))?;
        let id = reply.json()["id"].as_i64().filter(|_| reply.status == 201)?;
        self.ledger.add_account(id, email.clone());
        Some(email)
    }

    fn login(&self, client: &mut Client, email: &str) -> Result<Option<String>> {
        let Some(reply) = self.note(|| client.login(email)).filter(|reply| reply.status == 200) else {
            return Ok(None);
        };
        let token = reply.text("refresh_token")?;
        self.ledger.add_login(&token)?;
        Ok(Some(token))
    }

    fn refresh(&self, client: &mut Client, token: &str) -> Result<(u16, Option<String>)> {
        let Some(reply) = self.note(|| client.refresh(token)) else { return Ok((0, None)) };
        if reply.status != 200 {
            return Ok((reply.status, None));
        }
        let next = reply.text("refresh_token")?;
        self.ledger.add_refresh(token, &next)?;
        Ok((reply.status, Some(next)))
    }

    /// Records the reply to a write.
    fn note(&self, send: impl FnOnce() -> Result<Reply>) -> Option<Reply> {
        let start = Instant::now();
        let reply = send().ok();
        let refused = reply.as_ref().filter(|reply| reply.status == 503);
        self.replies().push(Seen {
            status: reply.as_ref().map(|reply| reply.status),
            has_retry_after: reply.as_ref().is_some_and(|reply| reply.has_retry_after),
            refusal: refused.map(|reply| String::from_utf8_lossy(&reply.body).into_owned()),
            latency: start.elapsed(),
        });
        reply
    }

    /// Connects to where the server is now.
    fn client(&self) -> Client {
        let server = *self.server.lock().unwrap_or_else(PoisonError::into_inner);
        // Its own address, so that the throttle counts it apart.
        let number = self.next_account.fetch_add(1, Ordering::Relaxed);
        let address = format!("10.0.{}.{}", number / 256 % 256, number % 256);
        Client::new(server.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))).forwarded_for(address)
    }

    fn replies(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writers {
    /// Starts writers.
    pub(crate) fn start(shared: &Arc<Shared>, workload: Workload) -> Self {
        shared.is_over.store(false, Ordering::Relaxed);
        let mut threads = Vec::new();
        let mut spawn = |count: usize, work: fn(&Shared, usize) -> Result<()>| {
            for _ in 0..count {
                let shared = shared.clone();
                threads.push(thread::spawn(move || work(&shared, workload.group_size)));
            }
        };
        spawn(workload.registering, keep_registering);
        spawn(workload.logging_in, keep_logging_in);
        spawn(workload.refreshing, keep_refreshing);
        Self { shared: shared.clone(), threads }
    }

    /// Waits until every writer has its reply, and returns what all have seen.
    pub(crate) fn finish(self) -> Result<Vec<Seen>> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        Ok(self.shared.replies().clone())
    }
}

/// Lets `count` clients write until the writers are stopped. After a step that was not acknowledged they wait, and connect anew.
fn repeat(shared: &Shared, count: usize, mut step: impl FnMut(&mut [Client]) -> Result<bool>) -> Result<()> {
    let connect = || -> Vec<Client> { (0..count).map(|_| shared.client()).collect() };
    let mut clients = connect();
    while !shared.is_over.load(Ordering::Relaxed) {
        if !step(&mut clients)? {
            thread::sleep(PAUSE);
            clients = connect();
        }
    }
    Ok(())
}

fn keep_registering(shared: &Shared, _: usize) -> Result<()> {
    repeat(shared, 1, |clients| Ok(shared.register(&mut clients[0]).is_some()))
}

fn keep_logging_in(shared: &Shared, _: usize) -> Result<()> {
    let mut account = None;
    repeat(shared, 1, |clients| {
        let Some(email) = &account else {
            account = shared.register(&mut clients[0]);
            return Ok(account.is_some());
        };
        Ok(shared.login(&mut clients[0], email)?.is_some())
    })
}

/// Lets `group_size` clients present the same token at once, repeatedly with the token that one of them has got.
fn keep_refreshing(shared: &Shared, group_size: usize) -> Result<()> {
    let (mut account, mut token) = (None, None);
    repeat(shared, group_size, |clients| {
        let Some(email) = &account else {
            account = shared.register(&mut clients[0]);
            return Ok(account.is_some());
        };
        let Some(current) = token.as_deref() else {
            token = shared.login(&mut clients[0], email)?;
            return Ok(token.is_some());
        };
        let replies = thread::scope(|scope| {
            let send = |client| scope.spawn(move || shared.refresh(client, current));
            let threads: Vec<_> = clients.iter_mut().map(send).collect();
            let replies = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a client panicked"))?);
            replies.collect::<Result<Vec<_>>>()
        })?;
        let next = replies.iter().find_map(|(_, next)| next.clone());
        let is_acknowledged = next.is_some();
        // If the token was used, and the reply that said so was lost, the next attempt gets 401.
        if is_acknowledged || replies.iter().any(|(status, _)| *status == 401) {
            token = next;
        }
        Ok(is_acknowledged)
    })
}
