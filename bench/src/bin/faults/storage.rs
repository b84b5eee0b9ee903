//! Faults of the storage while the server runs.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bench::client::Client;
use bench::release::Release;
use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tempfile::TempDir;

use crate::Fault;
use crate::fixture::{Fixture, Outcome, Settings};
use crate::writers::{NO_WRITES, WORKLOAD, Workload};

pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "database locked for 8 s, 80 clients refresh", play: lock_database },
    Fault { name: "key-value file locked for 8 s, 8 clients log in", play: lock_key_value },
    Fault { name: "disk full for 3 s", play: fill_disk },
    Fault { name: "no file can grow for 3 s", play: limit_files },
    Fault { name: "database file removed for 3 s", play: remove_database },
    Fault { name: "database file replaced for 3 s", play: replace_database },
];

const LOCK_TIME: Duration = Duration::from_secs(8);
/// How soon a write must be refused, with a tolerance for the client.
const REFUSED_WITHIN: Duration = Duration::from_millis(5_500);
const UNAVAILABLE: &str = r#"{"detail":"The database is not available"}"#;
/// How long many clients need to log in.
const LOGIN_TIME: Duration = Duration::from_secs(5);
/// The size of the disk that is filled.
const DISK_SIZE: &str = "size=16m";

/// What clients do during a fault, and what replies they get.
pub(crate) struct Plan {
    pub(crate) workload: Workload,
    pub(crate) time: Duration,
    /// The status of `GET /users/me`.
    pub(crate) read_status: u16,
    /// Whether writes get 503.
    pub(crate) refuses_writes: bool,
}

pub(crate) const PLAN: Plan =
    Plan { workload: WORKLOAD, time: Duration::from_secs(3), read_status: 200, refuses_writes: true };

/// Plays a fault from `begin` to `end`.
pub(crate) fn play<T>(
    fixture: Fixture<'_>,
    plan: &Plan,
    begin: impl FnOnce(&mut Fixture<'_>) -> Result<T>,
    end: impl FnOnce(&mut Fixture<'_>, T) -> Result<()>,
) -> Result<Option<Outcome>> {
    let (mut outcome, read) = fixture.play(plan.workload, |fixture| {
        let fault = begin(fixture)?;
        thread::sleep(plan.time / 2);
        let read = Client::new(fixture.address()?).get("/users/me", Some(fixture.reader()?))?;
        thread::sleep(plan.time / 2);
        end(fixture, fault)?;
        Ok(read)
    })?;
    outcome.notes.push(format!("reads {}", read.status));
    outcome.expect(read.status == plan.read_status, || {
        format!("GET /users/me got {} instead of {}", read.status, plan.read_status)
    });
    if read.status == 503 {
        outcome.refusals.insert(String::from_utf8_lossy(&read.body).into_owned());
    }
    let slowest = outcome.slowest_refusal;
    outcome.expect(slowest.is_some() == plan.refuses_writes, || {
        format!("{} write got 503", if plan.refuses_writes { "no" } else { "a" })
    });
    outcome.expect(slowest < Some(REFUSED_WITHIN), || format!("a write was refused only after {slowest:.1?}"));
    let refusals = outcome.refusals.clone();
    outcome.expect(refusals.iter().all(|body| body == UNAVAILABLE), || format!("unexpected bodies: {refusals:?}"));
    Ok(Some(outcome))
}

fn lock_database(release: &Release) -> Result<Option<Outcome>> {
    let workload = Workload { registering: 2, refreshing: 20, group_size: 4, warm_up: LOGIN_TIME, ..NO_WRITES };
    let fixture = Fixture::start(release, Settings::default())?;
    play(fixture, &Plan { workload, time: LOCK_TIME, ..PLAN }, |fixture| lock(&fixture.database()), unlock)
}

fn lock_key_value(release: &Release) -> Result<Option<Outcome>> {
    let plan =
        Plan { workload: Workload { logging_in: 8, ..NO_WRITES }, time: LOCK_TIME, refuses_writes: false, ..PLAN };
    let fixture = Fixture::start(release, Settings { has_throttle: true, ..Settings::default() })?;
    play(fixture, &plan, |fixture| lock(&fixture.key_value()), unlock)
}

/// Locks a database as another program would.
fn lock(database: &Path) -> Result<Connection> {
    let other = Connection::open(database)?;
    other.execute_batch("BEGIN EXCLUSIVE")?;
    Ok(other)
}

fn unlock(_: &mut Fixture<'_>, other: Connection) -> Result<()> {
    Ok(other.execute_batch("ROLLBACK")?)
}

/// A small disk in memory, until it is dropped.
struct Disk(TempDir);

impl Disk {
    /// Mounts a disk. `None` without the permission, which root has.
    fn mount() -> Result<Option<Self>> {
        let folder = TempDir::new()?;
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", DISK_SIZE, "tmpfs"]).arg(folder.path()).output()?;
        Ok(mount.status.success().then_some(Self(folder)))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn fill_disk(release: &Release) -> Result<Option<Outcome>> {
    let Some(disk) = Disk::mount()? else { return Ok(None) };
    let mut fixture = Fixture::prepare(release, Settings::default())?;
    std::os::unix::fs::symlink(disk.0.path(), fixture.path("state"))?;
    fixture.restart()?;
    let ballast = disk.0.path().join("ballast");
    let begin = |_: &mut Fixture<'_>| {
        let mut file = File::create(&ballast)?;
        while file.write_all(&[0; 4096]).is_ok() {}
        Ok(())
    };
    play(fixture, &PLAN, begin, |_, ()| Ok(fs::remove_file(&ballast)?))
}

fn limit_files(release: &Release) -> Result<Option<Outcome>> {
    // Without the signal, a write beyond the limit fails.
    let fixture = Fixture::start(release, Settings { prelude: "trap '' XFSZ;", ..Settings::default() })?;
    let begin = |fixture: &mut Fixture<'_>| {
        let log_size = fs::metadata(fixture.path("state/sqlite_db.db-wal"))?.len();
        limit_file_size(fixture, Some(log_size))
    };
    play(fixture, &PLAN, begin, |fixture, ()| limit_file_size(fixture, None))
}

fn limit_file_size(fixture: &mut Fixture<'_>, limit: Option<u64>) -> Result<()> {
    let pid = i32::try_from(fixture.process()?.0).ok().and_then(Pid::from_raw).context("a process id")?;
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: limit.or(maximum), maximum })?;
    Ok(())
}

fn remove_database(release: &Release) -> Result<Option<Outcome>> {
    let fixture = Fixture::start(release, Settings::default())?;
    let begin = |fixture: &mut Fixture<'_>| Ok(fs::rename(fixture.database(), fixture.path("away.db"))?);
    let end = |fixture: &mut Fixture<'_>, ()| {
        ensure!(!fixture.database().exists(), "the server created another database");
        Ok(fs::rename(fixture.path("away.db"), fixture.database())?)
    };
    play(fixture, &Plan { read_status: 503, ..PLAN }, begin, end)
}

fn replace_database(release: &Release) -> Result<Option<Outcome>> {
    let fixture = Fixture::start(release, Settings::default())?;
    let begin = |fixture: &mut Fixture<'_>| {
        let other = fixture.path("other.db");
        Connection::open(fixture.database())?.execute("VACUUM INTO ?1", [other.to_str()])?;
        let content = fs::read(&other)?;
        fs::rename(fixture.database(), fixture.path("away.db"))?;
        fs::rename(other, fixture.database())?;
        Ok(content)
    };
    let end = |fixture: &mut Fixture<'_>, content: Vec<u8>| {
        ensure!(fs::read(fixture.database())? == content, "the server wrote to the other database");
        Ok(fs::rename(fixture.path("away.db"), fixture.database())?)
    };
    play(fixture, &Plan { read_status: 503, ..PLAN }, begin, end)
}
