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
use crate::scene::{Outcome, Scene, Settings};
use crate::writers::{CREW, Crew, NOBODY};

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
    pub(crate) crew: Crew,
    pub(crate) time: Duration,
    /// The status of `GET /users/me`.
    pub(crate) read_status: u16,
    /// Whether writes get 503.
    pub(crate) refuses_writes: bool,
}

pub(crate) const PLAN: Plan = Plan { crew: CREW, time: Duration::from_secs(3), read_status: 200, refuses_writes: true };

/// Plays a fault from `begin` to `end`.
pub(crate) fn play<T>(
    scene: Scene<'_>,
    plan: &Plan,
    begin: impl FnOnce(&mut Scene<'_>) -> Result<T>,
    end: impl FnOnce(&mut Scene<'_>, T) -> Result<()>,
) -> Result<Option<Outcome>> {
    let (mut outcome, read) = scene.play(plan.crew, |scene| {
        let fault = begin(scene)?;
        thread::sleep(plan.time / 2);
        let read = Client::new(scene.address()?).get("/users/me", Some(scene.reader()?))?;
        thread::sleep(plan.time / 2);
        end(scene, fault)?;
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
    let crew = Crew { registering: 2, refreshing: 20, group_size: 4, warm_up: LOGIN_TIME, ..NOBODY };
    let scene = Scene::start(release, Settings::default())?;
    play(scene, &Plan { crew, time: LOCK_TIME, ..PLAN }, |scene| lock(&scene.database()), unlock)
}

fn lock_key_value(release: &Release) -> Result<Option<Outcome>> {
    let plan = Plan { crew: Crew { logging_in: 8, ..NOBODY }, time: LOCK_TIME, refuses_writes: false, ..PLAN };
    let scene = Scene::start(release, Settings { has_throttle: true, ..Settings::default() })?;
    play(scene, &plan, |scene| lock(&scene.key_value()), unlock)
}

/// Locks a database as another program would.
fn lock(database: &Path) -> Result<Connection> {
    let other = Connection::open(database)?;
    other.execute_batch("BEGIN EXCLUSIVE")?;
    Ok(other)
}

fn unlock(_: &mut Scene<'_>, other: Connection) -> Result<()> {
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
    let mut scene = Scene::prepare(release, Settings::default())?;
    std::os::unix::fs::symlink(disk.0.path(), scene.path("state"))?;
    scene.restart()?;
    let ballast = disk.0.path().join("ballast");
    let begin = |_: &mut Scene<'_>| {
        let mut file = File::create(&ballast)?;
        while file.write_all(&[0; 4096]).is_ok() {}
        Ok(())
    };
    play(scene, &PLAN, begin, |_, ()| Ok(fs::remove_file(&ballast)?))
}

fn limit_files(release: &Release) -> Result<Option<Outcome>> {
    // Without the signal, a write beyond the limit fails.
    let scene = Scene::start(release, Settings { prelude: "trap '' XFSZ;", ..Settings::default() })?;
    let begin = |scene: &mut Scene<'_>| {
        let log_size = fs::metadata(scene.path("state/sqlite_db.db-wal"))?.len();
        limit_file_size(scene, Some(log_size))
    };
    play(scene, &PLAN, begin, |scene, ()| limit_file_size(scene, None))
}

fn limit_file_size(scene: &mut Scene<'_>, limit: Option<u64>) -> Result<()> {
    let pid = i32::try_from(scene.process()?.0).ok().and_then(Pid::from_raw).context("a process id")?;
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: limit.or(maximum), maximum })?;
    Ok(())
}

fn remove_database(release: &Release) -> Result<Option<Outcome>> {
    let scene = Scene::start(release, Settings::default())?;
    let begin = |scene: &mut Scene<'_>| Ok(fs::rename(scene.database(), scene.path("away.db"))?);
    let end = |scene: &mut Scene<'_>, ()| {
        ensure!(!scene.database().exists(), "the server created another database");
        Ok(fs::rename(scene.path("away.db"), scene.database())?)
    };
    play(scene, &Plan { read_status: 503, ..PLAN }, begin, end)
}

fn replace_database(release: &Release) -> Result<Option<Outcome>> {
    let scene = Scene::start(release, Settings::default())?;
    let begin = |scene: &mut Scene<'_>| {
        let other = scene.path("other.db");
        Connection::open(scene.database())?.execute("VACUUM INTO ?1", [other.to_str()])?;
        let content = fs::read(&other)?;
        fs::rename(scene.database(), scene.path("away.db"))?;
        fs::rename(other, scene.database())?;
        Ok(content)
    };
    let end = |scene: &mut Scene<'_>, content: Vec<u8>| {
        ensure!(fs::read(scene.database())? == content, "the server wrote to the other database");
        Ok(fs::rename(scene.path("away.db"), scene.database())?)
    };
    play(scene, &Plan { read_status: 503, ..PLAN }, begin, end)
}
