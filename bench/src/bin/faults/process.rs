//! Faults of the process: kills and signals.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bench::client::Client;
use bench::release::Release;
use rustix::process::Signal;

use crate::Fault;
use crate::fixture::{Fixture, Outcome, Settings};
use crate::writers::WORKLOAD;

pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "SIGKILL while clients write, 50 times", play: kill },
    Fault { name: "SIGTERM while clients write", play: terminate },
    Fault { name: "SIGHUP", play: hang_up },
];

const KILLS: u64 = 50;
const HANG_UP_TIME: Duration = Duration::from_secs(1);
/// The number of registrations in flight at SIGTERM: some are hashed, the others wait for their turn.
const IN_FLIGHT: usize = 8;
/// How long a server may take to stop. It waits a second for a request that is half sent.
const STOPPED_WITHIN: Duration = Duration::from_secs(3);

fn kill(release: &Release) -> Result<Option<Outcome>> {
    let mut fixture = Fixture::start(release, Settings::default())?;
    let writers = fixture.write(WORKLOAD);
    let mut slowest = Duration::ZERO;
    for round in 0..KILLS {
        // At another moment in each round.
        thread::sleep(Duration::from_millis(50 + round * 37 % 200));
        fixture.server()?.kill()?;
        let killed = Instant::now();
        fixture.restart()?;
        slowest = slowest.max(fixture.time_to_write(killed)?);
    }
    fixture.finish(writers, None, slowest).map(Some)
}

fn terminate(release: &Release) -> Result<Option<Outcome>> {
    let mut fixture = Fixture::start(release, Settings::default())?;
    let writers = fixture.write(WORKLOAD);
    let address = fixture.address()?;
    let mut half_sent = TcpStream::connect(address)?;
    half_sent.write_all(b"GET /healthz HTT")?;
    let register = |_| {
        let shared = fixture.shared.clone();
        thread::spawn(move || shared.register(&mut Client::new(address)))
    };
    let in_flight: Vec<_> = (0..IN_FLIGHT).map(register).collect();
    thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    let last_line = fixture.stop()?;
    let stopped = start.elapsed();
    let mut answered = 0;
    for registration in in_flight {
        answered += usize::from(registration.join().map_err(|_| anyhow!("a client panicked"))?.is_some());
    }
    let start = Instant::now();
    fixture.restart()?;
    let back_after = fixture.time_to_write(start)?;
    let mut outcome = fixture.finish(writers, None, back_after)?;
    let stopped_secs = stopped.as_secs_f32();
    outcome.notes.push(format!("{answered} of {IN_FLIGHT} registrations in flight answered"));
    outcome.notes.push(format!("stopped in {stopped_secs:.1} s"));
    outcome.expect(answered == IN_FLIGHT, || format!("{answered} of {IN_FLIGHT} registrations were answered"));
    outcome.expect(stopped < STOPPED_WITHIN, || format!("stopped only after {stopped_secs:.1} s"));
    outcome.expect(last_line == "Stopped. 1 request was cut off.", || format!("the last line is {last_line:?}"));
    Ok(Some(outcome))
}

fn hang_up(release: &Release) -> Result<Option<Outcome>> {
    let (mut outcome, ()) = Fixture::start(release, Settings::default())?.play(WORKLOAD, |fixture| {
        fixture.server()?.signal(Signal::HUP)?;
        thread::sleep(HANG_UP_TIME);
        Ok(())
    })?;
    outcome.expect_replies();
    Ok(Some(outcome))
}
