//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use lanterne_host::App;
use log::LevelFilter;

use crate::embedded;
use crate::help::{DELIVER_HELP, HELP, MIGRATE_HELP, PRUNE_HELP, SEED_HELP, USERS_HELP};
use crate::logger;

/// Builds and runs the components of a Spin app without Spin
#[derive(Parser)]
#[command(
    name = "lanterne",
    version,
    after_help = HELP,
    override_usage = "lanterne <COMMAND> [OPTIONS] [ARGUMENTS]"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build changed components, migrate the database, and serve
    Up(Up),
    /// Build the components
    Build(From),
    /// Apply, revert, list or create migrations
    #[command(after_help = MIGRATE_HELP, arg_required_else_help = true)]
    Migrate(Migrate),
    /// Create an administrator, or two users for development
    #[command(after_help = SEED_HELP)]
    Seed(Seed),
    /// Delete old sessions, audit rows and throttle counters
    #[command(after_help = PRUNE_HELP, arg_required_else_help = true)]
    Prune(Component),
    /// List, change and delete accounts; see `users help`
    #[command(after_help = USERS_HELP)]
    Users(Component),
    /// Deliver the messages that are due; see `deliver help`
    #[command(after_help = DELIVER_HELP)]
    Deliver(Seed),
    /// Ask a running server whether it is ready; exits with 1 if not
    Health(Health),
    /// Copy the database to a file, also while the server runs
    Backup(Backup),
    /// Replace the database by a backup
    Restore(Restore),
}

#[derive(Args)]
pub(crate) struct From {
    /// The manifest of the app, or a directory that contains spin.toml [default: the app in this program if it has one,
    /// else this directory]
    #[arg(short = 'f', long, value_name = "FILE_OR_DIR")]
    from: Option<PathBuf>,

    /// Print only errors, the address that `up` listens on, and the output of commands
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl From {
    /// Reads the app.
    pub(crate) fn app(&self) -> Result<App> {
        match (&self.from, embedded::app()) {
            (None, Some(app)) => App::embedded(app),
            _ => self.sources(),
        }
    }

    /// Reads the app of a source tree, even if the program contains one.
    pub(crate) fn sources(&self) -> Result<App> {
        App::read(self.from.as_deref().unwrap_or(Path::new(".")))
    }
}

#[derive(Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) from: From,

    /// The directory of databases and key-value stores [default: .spin beside the manifest]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// The arguments of every command that runs components.
#[derive(Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) place: Place,

    /// Set a variable of the manifest, with KEY=@FILE to what a file contains, without a line break at its end; can be
    /// repeated
    #[arg(long = "variable", value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub(crate) variables: Vec<(String, String)>,

    /// Do not build, even if sources are newer than the components
    #[arg(long)]
    pub(crate) no_build: bool,
}

#[derive(Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) common: Common,

    /// The address and the port to listen on; 0.0.0.0 stands for all interfaces, port 0 for a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub(crate) listen: String,

    /// Create two users for development, whose passwords are public, before serving
    #[arg(long)]
    pub(crate) seed: bool,

    /// Do not migrate the database
    #[arg(long)]
    pub(crate) no_migrate: bool,

    /// Rebuild components whose sources change, and let new requests use them; with --no-build, use components that change
    #[arg(long)]
    pub(crate) watch: bool,

    /// How long requests in flight may take after SIGTERM or Ctrl-C, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = number::<0>)]
    pub(crate) stop_timeout: u32,

    /// The most connections from one address [default: 512; unlimited if client_ip_header is set]
    #[arg(long, value_name = "COUNT", value_parser = number::<1>)]
    pub(crate) client_connections: Option<u32>,

    /// Delete what has expired at the start and then at this interval, such as 30m, 24h or 7d: sessions 30 days
    /// after their end, the rows of used refresh tokens when those have expired, and throttle counters
    #[arg(long, value_name = "INTERVAL", value_parser = interval)]
    pub(crate) prune_every: Option<Duration>,

    /// Serve metrics for Prometheus at /metrics of this address and port, such as 127.0.0.1:9464; whoever reaches it can
    /// read them
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<String>,

    /// How the log is written to standard error
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: logger::Format,

    /// What is logged: failures only, also what may need attention, every request, or everything
    /// [default: info; error with --quiet]
    #[arg(long, value_name = "LEVEL", value_parser = log_level())]
    pub(crate) log_level: Option<LevelFilter>,
}

/// Parses a number of minutes, hours or days.
fn interval(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).unwrap_or_default();
    let unit_secs = match unit {
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 0,
    };
    match number.parse::<u32>() {
        Ok(number @ 1..) if unit_secs > 0 => Ok(Duration::from_secs(u64::from(number) * unit_secs)),
        _ => Err("must be a number of minutes, hours or days, as in 30m, 24h or 7d".into()),
    }
}

/// Parses a whole number from `MIN`.
fn number<const MIN: u32>(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number >= MIN);
    number.ok_or_else(|| format!("must be a whole number from {MIN} to {}", u32::MAX))
}

fn log_level() -> impl TypedValueParser<Value = LevelFilter> {
    let levels = PossibleValuesParser::new(["error", "warn", "info", "debug"]);
    levels.try_map(|level| level.parse::<LevelFilter>())
}

#[derive(Args)]
pub(crate) struct Health {
    /// The URL that answers with 200 if the server is ready
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8000/readyz")]
    pub(crate) url: String,

    /// Print nothing
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `lanterne migrate`
#[derive(Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) component: Component,

    /// Downgrade even while a server or another program uses the database
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `lanterne migrate`, `lanterne prune` and `lanterne users`
#[derive(Args)]
pub(crate) struct Component {
    #[command(flatten)]
    pub(crate) common: Common,

    /// What to do, as in the examples below; the argument `help` lists everything
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(crate) words: Vec<String>,
}

impl Component {
    /// Parses the arguments of `migrate revision`, which the component does not have. Exits if they are invalid.
    pub(crate) fn revision(&self) -> Option<Revision> {
        let is_revision = self.words.first().is_some_and(|word| word == "revision");
        is_revision.then(|| Revision::parse_from(&self.words))
    }
}

/// `lanterne seed` and `lanterne deliver`, which need no arguments
#[derive(Args)]
pub(crate) struct Seed {
    #[command(flatten)]
    pub(crate) common: Common,

    /// What to do, as in the examples below; the argument `help` lists everything
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

/// Creates the folder of the next migration, with its up.sql and down.sql
#[derive(Parser)]
#[command(
    bin_name = "lanterne migrate revision",
    after_help = "\
Does not open the database. With --autogenerate, the files contain the difference between the schema
that the existing migrations build and migrations/schema.sql; nothing is written if they are equal.
Review them before you apply them: comments mark what cannot be derived, such as a rename.

The options of `lanterne migrate`, such as --from DIR, can be given as well.

Examples:
  lanterne migrate revision -m \"add teams\"                  create empty files
  lanterne migrate revision -m \"add teams\" --autogenerate   generate them from schema.sql"
)]
pub(crate) struct Revision {
    /// What the migration does; its name is derived from this
    #[arg(short, long, value_name = "WORDS")]
    pub(crate) message: String,

    /// Generate the SQL from migrations/schema.sql
    #[arg(long)]
    pub(crate) autogenerate: bool,
}

#[derive(Args)]
#[command(after_help = "\
The copy is a consistent snapshot, taken without blocking the server. It is checked before it is
moved to FILE, and readable only by you, since it contains password hashes.

Example:
  lanterne backup \"/backups/$(date +%F).db\"")]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) place: Place,

    /// Replace FILE if it exists
    #[arg(long)]
    pub(crate) force: bool,

    /// The file to create
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Stop the server first. FILE must be an intact SQLite database of this app, without migrations unknown to
it, or one of the Python server; otherwise nothing is changed. The replaced database is kept beside the
new one, as <its name>.before-restore-<date>-<time>.")]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) place: Place,

    /// Accept FILE even if it contains rows that refer to missing rows, or lacks tables or columns
    #[arg(long)]
    pub(crate) force: bool,

    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("must be KEY=VALUE")?;
    let value = match value.strip_prefix('@') {
        Some(path) => {
            let mut text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
            text.truncate(without_line_break(&text).len());
            text
        }
        None => value.to_owned(),
    };
    Ok((key.to_lowercase(), value))
}

/// Cuts off one line break at the end, which editors and `echo` write and nobody means as part of a secret.
fn without_line_break(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_variable_may_be_in_a_file() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        for (content, value) in [
            ("a=b", "a=b"),
            ("a=b\n", "a=b"),
            ("a=b\r\n", "a=b"),
            ("a=b\n\n", "a=b\n"),
            ("\na\nb \n", "\na\nb "),
            ("a\r", "a\r"),
            ("\n", ""),
            ("", ""),
        ] {
            std::fs::write(file.path(), content).expect("it can be written");
            assert_eq!(key_and_value(&format!("KEY=@{}", file.path().display())), pair("key", value), "{content:?}");
        }
        std::fs::write(file.path(), b"\xFF").expect("it can be written");
        assert!(key_and_value(&format!("key=@{}", file.path().display())).is_err_and(|error| error.contains("UTF-8")));
        assert_eq!(key_and_value("key=a@b=c"), pair("key", "a@b=c"));
        assert!(key_and_value("key=@/nowhere").is_err_and(|error| error.starts_with("cannot read /nowhere: ")));
        for wrong in ["key", "=value", ""] {
            assert_eq!(key_and_value(wrong), Err("must be KEY=VALUE".to_owned()));
        }
    }

    #[test]
    fn the_definitions_are_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn an_interval_has_a_number_and_a_unit() {
        assert_eq!(interval("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(interval("24h"), interval("1d"));
        for wrong in ["", "h", "24", "0h", "-1h", "1.5h", "24 h", "1w", "24é"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
