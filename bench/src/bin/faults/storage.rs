//! Faults of the storage while the server runs.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bench::api::ApiClient;
use bench::release::Release;
use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tempfile::TempDir;

use crate::Fault;
use crate::scene::{Outcome, Scene, Settings};
use crate::writers::Crew;

pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "database locked for 8 s, 80 clients refresh", play: lock_database },
    Fault { name: "key-value file locked for 8 s, 8 clients log in", play: lock_key_value },
    Fault { name: "disk full for 3 s", play: fill_disk },
    Fault { name: "no file can grow for 3 s", play: limit_files },
    Fault { name: "database file removed for 3 s", play: remove_database },
    Fault { name: "database file replaced for 3 s", play: replace_database },
];

const LOCK_TIME: Duration = Duration::from_secs(8);
pub(crate) const FAULT_TIME: Duration = Duration::from_secs(3);
/// How soon a write must be refused, with a tolerance for the client.
const REFUSED_WITHIN: Duration = Duration::from_millis(5_500);
/// How long many clients need to log in.
const LOGIN_TIME: Duration = Duration::from_secs(4);
pub(crate) const CREW: Crew = Crew { registering: 2, logging_in: 1, refreshing: 4, group_size: 3 };
/// The size of the disk that is filled.
const DISK_SIZE: &str = "size=16m";

/// Plays a fault from `begin` to `end` while `crew` writes. In the midst of it, reads get `read_status`.
///
/// # Errors
/// The fault cannot be played, or the server fails.
pub(crate) fn play<T>(
    mut scene: Scene<'_>,
    (crew, time, read_status): (Crew, Duration, u16),
    begin: impl FnOnce(&mut Scene<'_>) -> Result<T>,
    end: impl FnOnce(&mut Scene<'_>, T) -> Result<()>,
) -> Result<Option<Outcome>> {
    let writers = scene.write(crew);
    let fault = begin(&mut scene)?;
    let witness = scene.watch()?;
    thread::sleep(time / 2);
    let client = ApiClient::new(scene.address()?);
    let read = client.get("/users/me", Some(scene.reader()?))?.status;
    thread::sleep(time / 2);
    let healthz_p99 = witness.finish()?;
    end(&mut scene, fault)?;
    let back_after = scene.time_to_write(Instant::now())?;
    let mut outcome = scene.finish(writers, Some(healthz_p99), back_after)?;
    outcome.notes.push(format!("reads got {read}"));
    outcome.expect(read == read_status, || format!("GET /users/me got {read} instead of {read_status}"));
    let slowest = outcome.slowest_refusal.unwrap_or_default();
    outcome.expect(slowest < REFUSED_WITHIN, || format!("a write was refused only after {slowest:.1?}"));
    Ok(Some(outcome))
}

fn lock_database(release: &Release) -> Result<Option<Outcome>> {
    let scene = Scene::start(release, Settings::default())?;
    let crew = Crew { registering: 2, refreshing: 20, group_size: 4, ..Crew::default() };
    let begin = |scene: &mut Scene<'_>| {
        thread::sleep(LOGIN_TIME);
        lock(&scene.database())
    };
    let outcome = play(scene, (crew, LOCK_TIME, 200), begin, |_, other| Ok(other.execute_batch("ROLLBACK")?))?;
    Ok(outcome.map(|mut outcome| {
        outcome.expect(outcome.slowest_refusal.is_some(), || "no write was refused".to_owned());
        outcome
    }))
}

fn lock_key_value(release: &Release) -> Result<Option<Outcome>> {
    let scene = Scene::start(release, Settings { has_throttle: true, ..Settings::default() })?;
    let crew = Crew { logging_in: 8, ..Crew::default() };
    let begin = |scene: &mut Scene<'_>| lock(&scene.key_value());
    let outcome = play(scene, (crew, LOCK_TIME, 200), begin, |_, other| Ok(other.execute_batch("ROLLBACK")?))?;
    Ok(outcome.map(|mut outcome| {
        outcome.expect(outcome.slowest_refusal.is_none(), || "logins got 503".to_owned());
        outcome
    }))
}

/// Locks a database as another program would.
fn lock(database: &Path) -> Result<Connection> {
    let other = Connection::open(database)?;
    other.execute_batch("BEGIN EXCLUSIVE")?;
    Ok(other)
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
    play(scene, (CREW, FAULT_TIME, 200), begin, |_, ()| Ok(fs::remove_file(&ballast)?))
}

fn limit_files(release: &Release) -> Result<Option<Outcome>> {
    // Without the signal, a write beyond the limit fails.
    let scene = Scene::start(release, Settings { prelude: "trap '' XFSZ;", ..Settings::default() })?;
    let begin = |scene: &mut Scene<'_>| {
        let log_size = fs::metadata(scene.path("state/sqlite_db.db-wal"))?.len();
        limit_file_size(scene, Some(log_size))
    };
    play(scene, (CREW, FAULT_TIME, 200), begin, |scene, ()| limit_file_size(scene, None))
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
    play(scene, (CREW, FAULT_TIME, 503), begin, end)
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
    play(scene, (CREW, FAULT_TIME, 503), begin, end)
}
