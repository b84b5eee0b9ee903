//! Faults of the log, which the server writes to standard error.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use anyhow::{Result, anyhow, ensure};
use bench::release::Release;

use crate::Fault;
use crate::fixture::{Fixture, Outcome};
use crate::writers::WORKLOAD;

pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "log to a full disk", play: log_to_full_disk },
    Fault { name: "log to a closed pipe", play: log_to_closed_pipe },
    Fault { name: "log to a pipe that nobody reads", play: log_to_unread_pipe },
];

/// Requests that are logged, beside those of the writers: more than the server and the pipe hold.
const REQUESTS: usize = 20_000;
const CLIENTS: usize = 4;

fn log_to_full_disk(release: &Release) -> Result<Option<Outcome>> {
    let full = File::options().write(true).open("/dev/full")?;
    play(Fixture::start_logging_to(release, full)?, || ()).map(Some)
}

fn log_to_closed_pipe(release: &Release) -> Result<Option<Outcome>> {
    let (reader, writer) = io::pipe()?;
    drop(reader);
    play(Fixture::start_logging_to(release, writer)?, || ()).map(Some)
}

fn log_to_unread_pipe(release: &Release) -> Result<Option<Outcome>> {
    let (reader, writer) = io::pipe()?;
    let fixture = Fixture::start_logging_to(release, writer)?;
    let mut lines = None;
    let mut outcome = play(fixture, || {
        let read = move || BufReader::new(reader).lines().map_while(Result::ok).collect::<Vec<_>>();
        lines = Some(thread::spawn(read));
    })?;
    let lines =
        lines.map_or_else(|| Ok(Vec::new()), thread::JoinHandle::join).map_err(|_| anyhow!("a reader panicked"))?;
    let reports: Vec<_> = lines.iter().filter(|line| line.ends_with(" lines are missing")).collect();
    outcome.notes.push(format!("{} lines in the log", lines.len()));
    outcome.expect(!reports.is_empty(), || "the log does not say how many lines are missing".to_owned());
    Ok(Some(outcome))
}

/// Sends requests that are logged until `end`.
fn play(fixture: Fixture<'_>, end: impl FnOnce()) -> Result<Outcome> {
    let (mut outcome, ()) = fixture.play(WORKLOAD, |fixture| {
        let address = fixture.address()?;
        let pipeline = |_| thread::spawn(move || pipeline(address, REQUESTS / CLIENTS));
        let clients: Vec<_> = (0..CLIENTS).map(pipeline).collect();
        for client in clients {
            client.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        end();
        Ok(())
    })?;
    outcome.expect_replies();
    Ok(outcome)
}

/// Sends requests over one connection without waiting for the replies, which must all come.
fn pipeline(server: SocketAddr, count: usize) -> Result<()> {
    let mut stream = TcpStream::connect(server)?;
    let mut reader = stream.try_clone()?;
    let replies = thread::spawn(move || {
        let mut replies = String::new();
        reader.read_to_string(&mut replies).map(|_| replies.matches("HTTP/1.1 200 OK").count())
    });
    let request = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request.repeat(count - 1).as_bytes())?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
    let replies = replies.join().map_err(|_| anyhow!("a reader panicked"))??;
    ensure!(replies == count, "{replies} of {count} requests were answered");
    Ok(())
}
