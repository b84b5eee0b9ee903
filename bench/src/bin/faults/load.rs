//! Clients that hold connections, memory or processors.

use std::io::Write as _;
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bench::client::Client;
use bench::release::Release;
use rusqlite::Connection;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use serde_json::json;

use crate::Fault;
use crate::fixture::{Fixture, Outcome, Settings};
use crate::writers::{NO_WRITES, Workload};

pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "1024 clients read nothing for 35 s", play: read_nothing },
    Fault { name: "1024 clients do not read replies of 500 KiB", play: read_no_large_replies },
    Fault { name: "1030 idle connections", play: stay_idle },
    Fault { name: "60 clients, ulimit -n 64", play: limit_descriptors },
];

const WORKLOAD: Workload = Workload { registering: 1, refreshing: 2, group_size: 2, ..NO_WRITES };
/// The maximum number of connections of a server, of which one address can have half.
const CONNECTIONS_MAX: usize = 1024;
/// The addresses that clients connect from: 127.0.0.2 and following.
const ADDRESSES: usize = 4;
/// The pause between new connections: what is measured is not their number at once.
const CONNECT_PAUSE: Duration = Duration::from_millis(4);
/// Longer than a client may read nothing.
const UNREAD_TIME: Duration = Duration::from_secs(35);
const LOAD_TIME: Duration = Duration::from_secs(4);
/// The number of audit rows in a large reply, and their size.
const ROWS: usize = 50;
const ROW_SIZE: usize = 10 << 10;
/// What a server with few clients has open.
const DESCRIPTORS_MAX: usize = 200;
/// The maximum resident memory: 128 MiB of unread responses, and the rest for the server with 64 instances. Buffers of the
/// kernel are not counted.
const RESIDENT_MAX: u64 = 512 << 20;

/// Connects from the address of client `number`, with the smallest buffer for what the client does not read.
fn connect_from(number: usize, server: SocketAddr) -> Result<TcpStream> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_recv_buffer_size(&socket, 4096)?;
    let host = u8::try_from(2 + number % ADDRESSES)?;
    bind(&socket, &SocketAddrV4::new([127, 0, 0, host].into(), 0))?;
    connect(&socket, &server)?;
    Ok(socket.into())
}

/// Connects clients that send many requests and never read.
fn connect_unread(server: SocketAddr, request: &str) -> Result<Vec<TcpStream>> {
    let connect = |number| {
        thread::sleep(CONNECT_PAUSE);
        let mut stream = connect_from(number, server)?;
        stream.set_nonblocking(true)?;
        // More than the buffers of both sides hold, if the server answered them all.
        let _ = stream.write(request.repeat(100).as_bytes())?;
        Ok(stream)
    };
    (0..CONNECTIONS_MAX).map(connect).collect()
}

/// Expects that the server never used too much memory.
fn bound_memory(mut outcome: Outcome) -> Outcome {
    let peak = outcome.peak_memory;
    outcome.expect(peak < RESIDENT_MAX, || format!("the server used {} MiB", peak >> 20));
    outcome
}

fn read_nothing(release: &Release) -> Result<Option<Outcome>> {
    let (mut outcome, (open, left)) = Fixture::start(release, Settings::default())?.play(WORKLOAD, |fixture| {
        let _clients = connect_unread(fixture.address()?, "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n")?;
        let open = fixture.process()?.descriptors()?;
        thread::sleep(UNREAD_TIME);
        Ok((open, fixture.process()?.descriptors()?))
    })?;
    outcome.notes.push(format!("{open} open files, then {left}"));
    outcome.expect(left < DESCRIPTORS_MAX, || format!("{left} files are open after {UNREAD_TIME:?}"));
    Ok(Some(bound_memory(outcome)))
}

fn read_no_large_replies(release: &Release) -> Result<Option<Outcome>> {
    let mut fixture = Fixture::start(release, Settings { flags: &["--seed"], ..Settings::default() })?;
    let admin = json!({"email": "admin@lanterne-rouge.com", "password": "admin_password_123"});
    let token = Client::new(fixture.address()?).post("/auth/login", &admin)?.text("access_token")?;
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                INSERT INTO audit_logs (action, resource, details, created_at)
                SELECT 'measured', 'session', printf('%.*c', ?2, 'x'), '2026-01-01 00:00:00.000000' FROM n";
    Connection::open(fixture.database())?.execute(rows, [ROWS, ROW_SIZE].map(|number| number as i64))?;
    let path = format!("/admin/audit-logs?action=measured&limit={ROWS}");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    let (outcome, ()) = fixture.play(WORKLOAD, |fixture| {
        let _clients = connect_unread(fixture.address()?, &request)?;
        thread::sleep(LOAD_TIME);
        Ok(())
    })?;
    Ok(Some(bound_memory(outcome)))
}

fn stay_idle(release: &Release) -> Result<Option<Outcome>> {
    let (mut outcome, (status, answered)) =
        Fixture::start(release, Settings::default())?.play(WORKLOAD, |fixture| {
            let address = fixture.address()?;
            let clients =
                (0..CONNECTIONS_MAX + 6).map(|number| connect_from(number, address)).collect::<Result<Vec<_>>>();
            let _clients = clients.context("the server is to accept all")?;
            let start = Instant::now();
            let status = Client::new(address).get("/healthz", None)?.status;
            let answered = start.elapsed();
            thread::sleep(LOAD_TIME);
            Ok((status, answered))
        })?;
    outcome.notes.push(format!("a new client got {status} after {:.0} ms", answered.as_secs_f32() * 1e3));
    outcome.expect(status == 200, || format!("a new client got {status}"));
    Ok(Some(bound_memory(outcome)))
}

fn limit_descriptors(release: &Release) -> Result<Option<Outcome>> {
    const CLIENTS: usize = 60;
    let mut fixture = Fixture::start(release, Settings { prelude: "ulimit -n 64;", ..Settings::default() })?;
    // These clients wait for connections, and so would the one that measures.
    let writers = fixture.write(WORKLOAD);
    let address = fixture.address()?;
    let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::new(address);
                while start.elapsed() < LOAD_TIME {
                    let is_answered = client.get("/healthz", None).is_ok_and(|reply| reply.status == 200);
                    if is_answered { &answered } else { &failed }.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let back_after = fixture.time_to_write(Instant::now())?;
    let mut outcome = fixture.finish(writers, None, back_after)?;
    let (answered, failed) = (answered.into_inner(), failed.into_inner());
    outcome.notes.push(format!("{answered} requests answered, {failed} failed"));
    outcome.expect(failed == 0, || format!("{failed} requests failed"));
    Ok(Some(bound_memory(outcome)))
}
