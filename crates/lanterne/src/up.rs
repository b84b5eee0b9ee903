//! `lanterne up`: from a source tree to a server, in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use tokio::runtime::Runtime;

use crate::cli::Up;
use crate::database_file;
use crate::session::{self, Session};
use lanterne_host::console::Console;
use lanterne_host::dotenv;
use lanterne_host::engine;
use lanterne_host::host::Host;
use lanterne_host::project::Project;
use lanterne_host::serve::{self, Server};
use lanterne_host::variables::{self, Sources};

/// The variable that gets a random value when it has none.
const SECRET: &str = "secret_key";

/// Builds, prepares and serves; gives the exit status.
pub(crate) fn run(up: &Up) -> Result<i32> {
    let mut session = Session::new(&up.common)?;
    // What can be refused is refused first: a taken address or a bad variable must not cost a build of minutes.
    // The address is let go again, so that whoever comes too early is told so instead of waiting.
    drop(serve::bind(&up.listen)?);
    ensure_secret(&session.project, &mut session.sources, session.console)?;
    let config = variables::check_variables(&session.project, &session.sources)?;
    let has_docs = config.is_some_and(|config| config.docs);
    session.build(&up.common)?;

    let (project, console) = (session.project.clone(), session.console);
    let database = session.database()?;
    let host = session.into_host()?;
    let guests = engine::guest_runtime()?;
    if let Some(status) = prepare_database(up, &host, &guests, &project)? {
        return Ok(status);
    }

    let _sign = database_file::leave_sign(&database);
    let host = Arc::new(host);
    let server = Server::new(&host, &project.app, guests.handle().clone())?;
    let listener = serve::bind(&up.listen)?;
    let address = listener.local_addr()?;
    server.run(listener, || serve::announce(console, address, has_docs))?;
    // Guests that are still busy have had their time.
    host.is_stopping.store(true, Ordering::Relaxed);
    guests.shutdown_timeout(Duration::from_secs(1));
    console.line("Stopped.");
    Ok(0)
}

/// Writes a random secret where Spin reads it too, if the app wants one and nothing sets it.
fn ensure_secret(project: &Project, sources: &mut Sources, console: Console) -> Result<()> {
    let wants = |variable: &lanterne_host::manifest::Variable| variable.default.is_none();
    let is_wanted = project.app.variables.get(SECRET).is_some_and(wants);
    if !is_wanted || sources.is_set(SECRET) {
        return Ok(());
    }
    let (name, _) = variables::environment_names(SECRET);
    let value = dotenv::append_secret(&project.dir, &name)?;
    sources.add_to_dotenv(&name, value);
    let path = dotenv::path(&project.dir);
    console.done("Secret", format_args!("no {SECRET} was set: wrote a random one to {}", path.display()));
    Ok(())
}

/// Migrates, and seeds if asked. A status means that one of them failed with it.
fn prepare_database(up: &Up, host: &Host, guests: &Runtime, project: &Project) -> Result<Option<i32>> {
    let mut steps: Vec<(&str, &[&str])> = Vec::new();
    if !up.no_migrate && project.manifest_of_command("migrate").is_some() {
        steps.push(("migrate", &["upgrade", "head"]));
    }
    if up.seed {
        steps.push(("seed", &[]));
    }
    for (name, words) in steps {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let status = session::run_command(host, guests, project, name, &words)?;
        if status != 0 {
            lanterne_host::console::fault(format_args!("{name} failed with status {status}"));
            return Ok(Some(status));
        }
    }
    Ok(None)
}
