//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use lanterne_host::App;

const HELP: &str = "\
Examples:
  lanterne up                             build, migrate and serve the app in this directory
  lanterne up --seed --listen 0.0.0.0:80  with example accounts, for the whole network
  lanterne migrate upgrade head           bring the database to the newest migration
  lanterne migrate downgrade -1           undo the last one
  lanterne migrate revision -m \"add teams\"
                                          make the files of the next one
  lanterne seed                           add the example accounts
  lanterne prune --sessions-days 30       delete what is no longer needed
  lanterne backup /backups/monday.db      copy the database while it is used
  lanterne restore /backups/monday.db     go back to that copy

Environment:
  SECRET_KEY, BCRYPT_COST, ...  the variables of spin.toml, in upper case; also as
                                SPIN_VARIABLE_<NAME>, which wins; also in .env, which does not
  DATABASE_URL                  sqlite:///relative or sqlite:////absolute: the database file
  LANTERNE_CACHE_DIR            where compiled components are kept [~/.cache/lanterne]
  NO_COLOR                      no colours

Exit status:
  0  success; of a server: it was asked to stop
  1  something failed
  2  a flag, a variable or a word on the command line is wrong
  `migrate`, `seed` and `prune` exit with the status of the component, which is one of these.";

const MIGRATE_HELP: &str = "\
Examples:
  lanterne migrate upgrade head      lanterne migrate current
  lanterne migrate downgrade -1      lanterne migrate history
  lanterne migrate help              all words that the component knows

In a source tree, without the component:
  lanterne migrate revision -m \"add teams\"                  an empty migration
  lanterne migrate revision -m \"add teams\" --autogenerate   one that leads to schema.sql";

const SEED_HELP: &str = "\
Examples:
  lanterne seed                                 the documented accounts
  lanterne seed --admin-email you@example.com   a real administrator
  lanterne seed -- help                         the component's own help";

const PRUNE_HELP: &str = "\
Examples:
  lanterne prune --sessions-days 30 --audit-days 365 --dry-run
  lanterne prune -- help                        the component's own help";

/// Runs the components of a Spin app, without Spin.
#[derive(Parser)]
#[command(name = "lanterne", version, after_help = HELP, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build what has changed, migrate the database, and serve
    Up(Up),
    /// Build the components
    Build(From),
    /// Change the schema of the database, or make the next migration; `migrate help` lists how
    #[command(after_help = MIGRATE_HELP)]
    Migrate(Component),
    /// Add the documented users, or an administrator; `seed help` lists how
    #[command(after_help = SEED_HELP)]
    Seed(Seed),
    /// Delete old sessions and audit rows; `prune help` lists how
    #[command(after_help = PRUNE_HELP)]
    Prune(Component),
    /// Copy the database into a file while it is used
    Backup(Backup),
    /// Put a backup in the place of the database
    Restore(Restore),
}

#[derive(Args)]
pub(crate) struct From {
    /// The manifest, or the directory with a spin.toml
    #[arg(short = 'f', long, value_name = "FILE_OR_DIR", default_value = ".")]
    from: PathBuf,

    /// No progress and no log: errors, the address that `up` listens on, and what a command prints
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl From {
    pub(crate) fn app(&self) -> Result<App> {
        App::read(&self.from)
    }
}

#[derive(Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) from: From,

    /// Where databases are kept [default: .spin beside the manifest]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// What every command that runs components takes.
#[derive(Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) place: Place,

    /// Set a variable of the manifest; may be given several times
    #[arg(long = "variable", value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub(crate) variables: Vec<(String, String)>,

    /// Run the components as they are, even if their sources are newer
    #[arg(long)]
    pub(crate) no_build: bool,
}

#[derive(Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) common: Common,

    /// The address to serve on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub(crate) listen: String,

    /// Add the documented users before serving
    #[arg(long)]
    pub(crate) seed: bool,

    /// Leave the database as it is
    #[arg(long)]
    pub(crate) no_migrate: bool,
}

/// `lanterne migrate` and `lanterne prune`
#[derive(Args)]
pub(crate) struct Component {
    #[command(flatten)]
    pub(crate) common: Common,

    /// What to do; `help` lists it. Flags of lanterne itself stand before these words
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(crate) words: Vec<String>,
}

impl Component {
    /// Parses the words of `migrate revision`, the one command that is not the component's. Exits on wrong words.
    pub(crate) fn revision(&self) -> Option<Revision> {
        let is_revision = self.words.first().is_some_and(|word| word == "revision");
        is_revision.then(|| Revision::parse_from(&self.words))
    }
}

#[derive(Args)]
pub(crate) struct Seed {
    #[command(flatten)]
    pub(crate) common: Common,

    /// What to do; `help` lists it. Flags of lanterne itself stand before these words
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

/// Makes the folder of the next migration, with its up.sql and down.sql.
#[derive(Parser)]
#[command(
    bin_name = "lanterne migrate revision",
    after_help = "\
It touches no database. With --autogenerate the files lead from what the migrations build to what
migrations/schema.sql says; where that is the same, nothing is written. Read them before you apply
them: what cannot be known, such as a rename, is in their comments.

Options like --from stand before the word: lanterne migrate --from DIR revision ..."
)]
pub(crate) struct Revision {
    /// What the migration does; its name is made from this
    #[arg(short, long, value_name = "WORDS")]
    pub(crate) message: String,

    /// Write the SQL that leads to migrations/schema.sql
    #[arg(long)]
    pub(crate) autogenerate: bool,
}

#[derive(Args)]
#[command(after_help = "\
The copy is the database as it is at one moment; nobody who uses it has to wait. It is checked
before it gets its name, and nobody but you may read it: it holds password hashes.

Example:
  lanterne backup \"/backups/$(date +%F).db\"")]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) place: Place,

    /// Replace FILE if it is there
    #[arg(long)]
    pub(crate) force: bool,

    /// Where to put the copy
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Stop the server first. FILE must be a sound SQLite database of this app, with migrations that are known
here, or of the Python server; otherwise nothing is changed. The database that was there is kept beside
the new one, as <its name>.before-restore-<date>-<time>.")]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) place: Place,

    /// Take FILE even if rows in it refer to rows that are gone
    #[arg(long)]
    pub(crate) force: bool,

    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_lowercase(), value.to_owned())),
        _ => Err("must be KEY=VALUE".into()),
    }
}
