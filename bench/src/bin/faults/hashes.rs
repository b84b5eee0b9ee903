//! Clients that keep the server hashing passwords.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use bench::client::Client;
use bench::release::Release;
use rusqlite::Connection;

use crate::Fault;
use crate::fixture::{Fixture, Outcome, Settings};
use crate::health_probe::HealthProbe;
use crate::writers::{NO_WRITES, Workload};

pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "200 registrations at once, bcrypt cost 12", play: register_at_once },
    Fault { name: "64 logins at once, bcrypt cost 14, then disconnect", play: log_in_and_disconnect },
    Fault { name: "registrations of an address that is taken", play: register_taken },
];

const REGISTRATIONS: usize = 200;
const LOGINS: usize = 64;
/// How long clients wait before they disconnect: shorter than requests may wait for their turn.
const LOGIN_TIME: Duration = Duration::from_secs(8);
/// How long the processors are watched afterwards, and what may be in use, for one.
const IDLE_TIME: Duration = Duration::from_secs(1);
const IDLE_MAX: Duration = Duration::from_millis(200);
const STORM_TIME: Duration = Duration::from_secs(4);
/// Refusals that are audited one by one, and one for each minute that begins meanwhile.
const REFUSALS_MAX: usize = 12;
const REFRESHING: Workload = Workload { refreshing: 2, group_size: 2, ..NO_WRITES };

fn register_at_once(release: &Release) -> Result<Option<Outcome>> {
    let fixture = Fixture::start(release, Settings { bcrypt_cost: 12, ..Settings::default() })?;
    let (mut outcome, (registered, ended)) = fixture.play(REFRESHING, |fixture| {
        let address = fixture.address()?;
        let start = Instant::now();
        let registered = thread::scope(|scope| {
            let register = |_| scope.spawn(|| fixture.shared.register(&mut Client::new(address)).is_some());
            let clients: Vec<_> = (0..REGISTRATIONS).map(register).collect();
            clients.into_iter().filter_map(|client| client.join().ok()).filter(|is_registered| *is_registered).count()
        });
        Ok((registered, start.elapsed()))
    })?;
    outcome.notes.push(format!("{registered} registered, all answered within {:.1} s", ended.as_secs_f32()));
    Ok(Some(outcome))
}

fn log_in_and_disconnect(release: &Release) -> Result<Option<Outcome>> {
    let mut fixture = Fixture::start(release, Settings { bcrypt_cost: 14, ..Settings::default() })?;
    // Writers would need processor time after the logins have ended.
    let writers = fixture.write(NO_WRITES);
    let address = fixture.address()?;
    let probe = HealthProbe::start(address);
    let clients = (0..LOGINS).map(|_| send_login(address)).collect::<Result<Vec<_>>>()?;
    thread::sleep(LOGIN_TIME);
    let healthz_p99 = probe.finish()?;
    drop(clients);
    let process = fixture.process()?;
    let before = process.processor_time()?;
    thread::sleep(IDLE_TIME);
    let used = process.processor_time()?.saturating_sub(before);
    let back_after = fixture.time_to_write(Instant::now())?;
    let mut outcome = fixture.finish(writers, Some(healthz_p99), back_after)?;
    outcome.notes.push(format!("then {} ms of processor time in a second", used.as_millis()));
    outcome.expect(used < IDLE_MAX, || format!("hashes went on after the clients had left, for {used:.1?}"));
    Ok(Some(outcome))
}

/// Sends a login without waiting for the reply.
fn send_login(server: SocketAddr) -> Result<TcpStream> {
    let body = r#"{"email": "reader@example.com", "password": "not the password"}"#;
    let mut stream = TcpStream::connect(server)?;
    let head = "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    Ok(stream)
}

fn register_taken(release: &Release) -> Result<Option<Outcome>> {
    let fixture = Fixture::start(release, Settings::default())?;
    let (mut outcome, (refused, rows)) = fixture.play(REFRESHING, |fixture| {
        let address = fixture.address()?;
        let start = Instant::now();
        let storm = || {
            let mut client = Client::new(address);
            let mut refused = 0;
            while start.elapsed() < STORM_TIME {
                refused += usize::from(client.register("reader@example.com").is_ok_and(|reply| reply.status == 400));
            }
            refused
        };
        let refused: usize = thread::scope(|scope| {
            let clients: Vec<_> = (0..8).map(|_| scope.spawn(storm)).collect();
            clients.into_iter().filter_map(|client| client.join().ok()).sum()
        });
        let sql = "SELECT count(*) FROM audit_logs WHERE action = 'register' AND details LIKE 'Refused%'";
        let rows: u32 = Connection::open(fixture.database())?.query_row(sql, [], |row| row.get(0))?;
        Ok((refused, rows))
    })?;
    outcome.notes.push(format!("{refused} refusals, {rows} audit rows"));
    outcome.expect(refused > REFUSALS_MAX, || format!("only {refused} refusals"));
    outcome.expect(rows as usize <= REFUSALS_MAX, || format!("{rows} audit rows"));
    Ok(Some(outcome))
}
