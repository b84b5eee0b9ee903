//! How `lanterne` slows down with the number of accounts: `--users 1000,1000000`.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use bench::load;
use bench::process::Process;
use bench::user::Request;

use crate::accounts;
use crate::peer::Peer;
use crate::report::{machine, number};
use crate::work::{Measurement, Method, Work};

/// The rate of `GET /users/me` while administrators search, in requests per second.
const RATE: f64 = 100.0;

const WORKS: [Work; 6] = [
    work("`GET /users/me`", Request::Me, 8, Method::Light),
    work("`POST /auth/refresh`", Request::Refresh, 8, Method::Light),
    work("`POST /auth/login`, 8 clients", Request::Login, 8, Method::Heavy),
    work("`GET /admin/users`", Request::List, 8, Method::Light),
    work("`GET /admin/users?q=user-77`, 1 client", Request::Search, 1, Method::Heavy),
    work("`GET /admin/users?q=user-77`, 8 clients", Request::Search, 8, Method::Heavy),
];

const fn work(title: &'static str, request: Request, clients: usize, method: Method) -> Work {
    Work { name: title, title, request, clients, method }
}

/// Measures each size, and prints a table.
pub(crate) fn run(sizes: &[u32], time: Duration) -> Result<()> {
    println!("# Growth\n\n`lanterne`, on {}.\n", machine());
    println!("| accounts | request | requests/s | CPU ms/request | p50 ms | p99 ms | p99.9 ms | errors |");
    println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for &size in sizes {
        measure(size, time).with_context(|| format!("{size} accounts"))?;
    }
    Ok(())
}

fn measure(size: u32, time: Duration) -> Result<()> {
    let mut running = Peer::Lanterne.start(1)?;
    let start = Instant::now();
    accounts::insert(&running.database, size)?;
    let bytes = std::fs::metadata(&running.database)?.len();
    eprintln!("{size} accounts: {} MiB, inserted in {:.1} s", bytes >> 20, start.elapsed().as_secs_f64());
    let mut target = accounts::log_in(&running.server)?;
    for work in &WORKS {
        print_row(size, work.title, &target.measure(work, time).with_context(|| work.title)?);
    }
    let title = format!("`GET /users/me` while {} administrators search", target.admins.len());
    let (admins, users) = (&mut target.admins, &mut target.users);
    let (searches, reads) = thread::scope(|scope| {
        let searches = scope.spawn(|| load::closed(admins, Request::Search, time));
        let reads = load::constant(users, Request::Me, RATE, time)?;
        anyhow::Ok((searches.join().map_err(|_| anyhow!("a client panicked"))??, reads))
    })?;
    print_row(size, &title, &Measurement::of(&reads, &[&searches]));
    eprintln!("{size} accounts: {} MiB resident", Process(running.server.id()).resident_bytes()? >> 20);
    running.server.stop();
    Ok(())
}

fn print_row(size: u32, title: &str, measurement: &Measurement) {
    println!(
        "| {} | {title} | {} | {} | {} | {} | {} | {} |",
        number(size.into()),
        number(measurement.throughput),
        measurement.cpu.map_or_else(String::new, number),
        number(measurement.p50),
        number(measurement.p99),
        number(measurement.p999),
        measurement.errors
    );
}
