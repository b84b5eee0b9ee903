//! `lanterne up`: builds, migrates, seeds and serves.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use lanterne_core::config::{self, Config};
use lanterne_core::environment::{self, Environment};
use lanterne_host::{Event, Server, ServerConfig};
use log::LevelFilter;
use sd_notify::NotifyState;

use crate::cli::Up;
use crate::console::{self, Console, UsageError};
use crate::database_file;
use crate::dotenv;
use crate::exposure;
use crate::logger;
use crate::metrics;
use crate::project::Project;
use crate::signals::Signals;
use crate::variables;
use crate::watch::Watch;

/// The variables that are generated if they are needed and not set.
const SECRET: &str = "secret_key";
const PRIVATE_KEY: &str = "token_private_key";
/// How long an expired session is kept, in days.
const PRUNED_SESSION_DAYS: u32 = 30;
/// How often messages are looked for. `deliver` runs beside the requests: a request that waited for the receiver would tell
/// that there is an account, and occupy an instance.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(1);
/// The maximum number of concurrent runs of `deliver`, for a receiver that is slow.
const DELIVERIES_MAX: usize = 4;
/// The variable that tells whether the API delivers messages itself.
const MAIL_AFTER_REPLY: &str = "mail_after_reply";
/// How long a message is kept, in days.
const PRUNED_MAIL_DAYS: u32 = 30;

/// Runs the command and returns the exit status.
pub(crate) fn run(up: &Up) -> Result<i32> {
    // Everything below may take long.
    let signals = Signals::install()?;
    let mut project = Project::open(&up.common.place, &up.common.variables)?;
    // Fail before a build that may take minutes. The address is released again, so that connections of early clients are
    // refused rather than left waiting.
    let is_public = !listeners(up)?.0.local_addr()?.ip().is_loopback();
    Server::check_limits()?;
    ensure_keys(&mut project)?;
    let config = check_config(&project)?;
    // Sees changes during the build.
    let watch = up.watch.then(|| Watch::new(&up.common)).transpose()?;
    project.build(&up.common)?;

    let console = project.console;
    let level = if console.is_quiet() { LevelFilter::Error } else { LevelFilter::Info };
    logger::install(up.log_format, up.log_level.unwrap_or(level))?;
    for warning in project.variables.misspelt(&project.app).into_iter().chain(exposure::warnings(&project)) {
        log::warn!("{warning}");
    }
    let database = project.state_dir.default_database().to_owned();
    if !database.exists() {
        report_new_database(&project, &database);
    }
    let has_mail = config.as_ref().is_some_and(|config| config.mail.is_on());
    let delivers = has_mail && project.app.command("deliver").is_ok();
    if delivers && !project.variables.is_set(MAIL_AFTER_REPLY) {
        project.variables.set(MAIL_AFTER_REPLY, "off");
    }
    let host = project.into_host(config.as_ref(), up.metrics_listen.as_ref().map(|_| metrics::outcomes()))?;
    let migrate = (!up.no_migrate && host.app().command("migrate").is_ok()).then_some(("migrate", "upgrade head"));
    let seed = up.seed.then_some(("seed", ""));
    if migrate.or(seed).is_some() && database_file::is_locked(&database) {
        log::warn!("{} is locked by another program: waiting for it, for a minute at most", database.display());
    }
    for (name, words) in [migrate, seed].into_iter().flatten() {
        let status = host.run_command(name, &Vec::from_iter(words.split_whitespace()))?;
        if status != 0 {
            console::error(format_args!("{name} failed with status {status}"));
            return Ok(status);
        }
    }

    if up.seed && is_public {
        log::warn!("other machines can reach {}, and the passwords of the accounts of --seed are public", up.listen);
    }
    let _marker = database_file::mark_in_use(&database);
    let mut server = host.into_server()?;
    if let Some(interval) = up.prune_every {
        server.schedule("prune", &prune_words(config.as_ref()), interval, 1)?;
    }
    if delivers {
        server.schedule("deliver", &[] as &[&str], DELIVERY_INTERVAL, DELIVERIES_MAX)?;
    }
    if let Some(watch) = watch {
        watch.start(server.reloader())?;
    }
    let (listener, metrics) = listeners(up)?;
    let address = listener.local_addr()?;
    let metrics_address = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
    let has_docs = config.as_ref().is_some_and(|config| config.docs);
    let cut_off = server.run(listener, metrics, &server_config(up, config.as_ref()), |event| match event {
        Event::Listening => {
            signals.leave_to_server();
            if let Some(address) = metrics_address {
                console.announce(format_args!("Metrics on http://{address}/metrics"));
            }
            announce(console, address, has_docs);
            notify(NotifyState::Ready);
        }
        Event::Stopping => notify(NotifyState::Stopping),
    })?;
    match cut_off {
        0 => console.line("Stopped."),
        1 => console.line("Stopped. 1 request was cut off."),
        count => console.line(format_args!("Stopped. {count} requests were cut off.")),
    }
    Ok(0)
}

/// Reports that the server starts with an empty database. Only in the state directory a missing one is suspicious:
/// `DATABASE_URL` may name a new file.
fn report_new_database(project: &Project, database: &Path) {
    let database = database.display();
    if project.variables.database_url().is_some() {
        project.console.done("Database", format_args!("{database} is new"));
    } else if project.state_dir.key_value_file().exists() {
        log::warn!(
            "there is no database {database}, although its state directory has been in use: starting with an empty one"
        );
    }
}

fn server_config(up: &Up, config: Option<&Config>) -> ServerConfig {
    // Behind a proxy all connections have its address.
    let is_proxied = config.is_some_and(|config| config.client_ip_header.is_some());
    let default = (!is_proxied).then_some(ServerConfig::CLIENT_CONNECTIONS_MAX);
    ServerConfig {
        client_connections_max: up.client_connections.map(|count| count as usize).or(default),
        stop_timeout: Duration::from_secs(up.stop_timeout.into()),
    }
}

/// Tells the service manager, if there is one: see sd_notify(3).
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        log::error!("cannot write to NOTIFY_SOCKET: {error}");
    }
}

/// Binds the address of requests, and that of metrics if there is one.
fn listeners(up: &Up) -> Result<(TcpListener, Option<TcpListener>)> {
    let listener = bind("--listen", &up.listen, "127.0.0.1:8000")?;
    let metrics = up.metrics_listen.as_ref().map(|address| bind("--metrics-listen", address, "127.0.0.1:9464"));
    Ok((listener, metrics.transpose()?))
}

/// Binds the `address` that `option` gives. Errors name `example`.
fn bind(option: &str, address: &str, example: &str) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse if option == "--metrics-listen" => anyhow!(
            "{address} is in use, by --listen or by another program: choose another port with {option}"
        ),
        ErrorKind::AddrInUse => {
            anyhow!("{address} is in use by another program: stop it, or choose another port with {option}")
        }
        ErrorKind::PermissionDenied => anyhow!(
            "no permission to listen on {address}: ports below 1024 need root or CAP_NET_BIND_SERVICE; choose another port, as \
             with {option} {example}, and put a reverse proxy in front"
        ),
        ErrorKind::AddrNotAvailable => anyhow!(
            "this machine has no address {address}: 127.0.0.1 is for clients on this machine only, 0.0.0.0 for all interfaces"
        ),
        ErrorKind::InvalidInput => {
            UsageError(format!("{option} {address}: {error}; must be ADDRESS:PORT, as in {example}")).into()
        }
        _ => anyhow!("cannot listen on {address}: {error}"),
    })
}

/// Writes the random keys that the app needs and that are not set to `.env`, which Spin reads as well.
fn ensure_keys(project: &mut Project) -> Result<()> {
    let declared = &project.app.main.variables;
    let needs_secret = declared.get(SECRET).is_some_and(|variable| variable.default.is_none());
    let values = project.variables.values(&project.app);
    let needs_private_key =
        declared.contains_key(PRIVATE_KEY) && values.get("token_algorithm").is_some_and(|name| name.trim() == "EdDSA");
    let has_former_tokens = project.variables.is_set(SECRET) && !project.variables.is_set("secret_key_previous");
    if needs_secret {
        ensure_key(project, SECRET)?;
    }
    if needs_private_key && ensure_key(project, PRIVATE_KEY)? && has_former_tokens {
        project.console.done(
            "Tokens",
            "those signed with HS256 are refused from now on; to accept them until they expire, set SECRET_KEY_PREVIOUS to \
             the value of SECRET_KEY",
        );
    }
    Ok(())
}

/// Writes 32 random bytes to `.env` as the value of `variable` unless it is set; returns whether it did.
fn ensure_key(project: &mut Project, variable: &str) -> Result<bool> {
    if project.variables.is_set(variable) {
        return Ok(false);
    }
    let name = variables::prefixed(variable);
    let dir = &project.app.dir;
    let secret = dotenv::add_secret(dir, &name).with_context(|| {
        format!("{variable} is not set: set {}, or make .env writable", variable.to_ascii_uppercase())
    })?;
    if secret.is_new {
        let path = dotenv::path(dir);
        project.console.done("Secret", format_args!("no {variable} was set: wrote a random one to {}", path.display()));
    }
    project.variables.add_to_dotenv(name, secret.value);
    Ok(secret.is_new)
}

/// Checks the variables by the rules of the API and of `seed`. `None` for an app that does not declare all of the API's.
fn check_config(project: &Project) -> Result<Option<Config>> {
    let declared = &project.app.main.variables;
    if !config::VARIABLES.iter().all(|&name| declared.contains_key(name)) {
        return Ok(None);
    }
    let values = project.variables.values(&project.app);
    if let Some(value) = values.get(environment::VARIABLE) {
        value.parse::<Environment>().map_err(|error| UsageError(error.to_string()))?;
    }
    let lookup = |name: &str| values.get(name).or_else(|| declared.get(name)?.default.as_ref()).cloned();
    Config::from_lookup(lookup).map(Some).map_err(|errors| UsageError(errors.to_string()).into())
}

/// Returns the arguments of the scheduled `prune`. It deletes nothing that is still needed: a used refresh token that comes
/// back is recognized until it has expired, and the audit log stays.
fn prune_words(config: Option<&Config>) -> Vec<String> {
    let mut words = vec![
        "--throttle".to_owned(),
        format!("--sessions-days={PRUNED_SESSION_DAYS}"),
        format!("--mail-days={PRUNED_MAIL_DAYS}"),
    ];
    if let Some(config) = config {
        words.push(format!("--spent-days={}", config.refresh_ttl.as_secs().div_ceil(24 * 60 * 60)));
    }
    words
}

/// Prints where the server can be reached.
fn announce(console: Console, address: SocketAddr, has_docs: bool) {
    console.announce(format_args!("Listening on http://{address}"));
    if has_docs {
        let url = format!("http://{address}");
        console.line(format_args!("\n  API    {url}\n  Docs   {url}/docs\n  Redoc  {url}/redoc"));
    }
    console.line("\nCtrl-C stops the server.");
}
