//! Faults of files that are there when the server starts.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use bench::release::Release;
use rusqlite::Connection;

use crate::Fault;
use crate::fixture::{Fixture, Outcome, Settings};
use crate::storage::{PLAN, play};
use crate::writers::WORKLOAD;

pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "database read-only at the start, for 3 s", play: make_read_only },
    Fault { name: "a page of the database damaged at the start, for 3 s", play: damage_page },
    Fault { name: "key-value file damaged at the start", play: damage_key_value },
    Fault { name: "compiled components damaged at the start", play: damage_cache },
];

/// The byte of a database's header with its write version: SQLite opens a file of an unknown version for reading only.
/// This binds root as well, unlike a mode.
const WRITE_VERSION: u64 = 18;
const UNKNOWN_VERSION: u8 = 9;
const NO_MIGRATE: &[&str] = &["--no-migrate"];

/// Starts a server, lets clients write, and stops it.
fn written(release: &Release, settings: Settings) -> Result<Fixture<'_>> {
    let mut fixture = Fixture::start(release, settings)?;
    fixture.write(WORKLOAD).finish()?;
    fixture.stop()?;
    fixture.set_flags(NO_MIGRATE);
    Ok(fixture)
}

fn open(file: &Path) -> Result<File> {
    Ok(File::options().read(true).write(true).open(file)?)
}

fn make_read_only(release: &Release) -> Result<Option<Outcome>> {
    let mut fixture = written(release, Settings::default())?;
    let database = open(&fixture.database())?;
    let mut version = [0];
    database.read_exact_at(&mut version, WRITE_VERSION)?;
    database.write_all_at(&[UNKNOWN_VERSION], WRITE_VERSION)?;
    fixture.restart()?;
    let end = |_: &mut Fixture<'_>, ()| Ok(database.write_all_at(&version, WRITE_VERSION)?);
    play(fixture, &PLAN, |_| Ok(()), end)
}

/// Damages the first page of the index of e-mail addresses, which registrations and logins need.
fn damage_page(release: &Release) -> Result<Option<Outcome>> {
    let mut fixture = written(release, Settings::default())?;
    let sql = "SELECT (rootpage - 1) * page_size, page_size FROM sqlite_master, pragma_page_size
               WHERE name = 'ix_users_email'";
    let place = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, u16>(1)?));
    let (offset, size) = Connection::open(fixture.database())?.query_row(sql, [], place)?;
    let (offset, size) = (u64::try_from(offset)?, usize::from(size));
    let file = open(&fixture.database())?;
    let (mut page, damage) = (vec![0; size], vec![b'x'; size]);
    file.read_exact_at(&mut page, offset)?;
    file.write_all_at(&damage, offset)?;
    fixture.restart()?;
    let end = |_: &mut Fixture<'_>, ()| {
        let mut current = vec![0; size];
        file.read_exact_at(&mut current, offset)?;
        ensure!(current == damage, "the server wrote the damaged page");
        Ok(file.write_all_at(&page, offset)?)
    };
    play(fixture, &PLAN, |_| Ok(()), end)
}

fn damage_key_value(release: &Release) -> Result<Option<Outcome>> {
    let fixture = written(release, Settings { has_throttle: true, ..Settings::default() })?;
    let file = open(&fixture.key_value())?;
    file.write_all_at(&[b'x'; 100], 0)?;
    start_damaged(fixture, "the damaged file was not moved aside", |fixture| {
        fixture.path("state/sqlite_key_value.db.damaged-1").exists()
    })
}

fn damage_cache(release: &Release) -> Result<Option<Outcome>> {
    let cache = tempfile::TempDir::new()?;
    let settings = Settings { cache: Some(cache.path().to_owned()), ..Settings::default() };
    let fixture = written(release, settings)?;
    for entry in fs::read_dir(cache.path())? {
        let file = open(&entry?.path())?;
        file.write_all_at(&[0; 64 << 10], file.metadata()?.len() / 2)?;
    }
    start_damaged(fixture, "the component was not compiled again", |fixture| {
        fixture.log().contains("is damaged: compiling again")
    })
}

/// Starts the server on damaged files, which `is_noticed` must see. The fault ends when the server listens.
fn start_damaged(
    mut fixture: Fixture<'_>,
    not_noticed: &str,
    is_noticed: impl FnOnce(&Fixture<'_>) -> bool,
) -> Result<Option<Outcome>> {
    let start = Instant::now();
    fixture.restart()?;
    let started = start.elapsed();
    let back_after = fixture.time_to_write(Instant::now())?;
    let (mut outcome, is_noticed) = fixture.play(WORKLOAD, |fixture| {
        thread::sleep(PLAN.time);
        Ok(is_noticed(fixture))
    })?;
    outcome.back_after = back_after;
    outcome.notes.insert(0, format!("started in {:.1} s", started.as_secs_f32()));
    outcome.expect(is_noticed, || not_noticed.to_owned());
    Ok(Some(outcome))
}
