//! The examples and notes below the options in `--help`.

pub(crate) const HELP: &str = "\
Examples:
  lanterne up                             build, migrate and serve the app in this directory
  lanterne up --seed                      also create two users whose passwords are public
  lanterne up --watch                     rebuild what changes while it serves
  lanterne up --listen 127.0.0.1:8001     listen on another port
  lanterne migrate upgrade head           apply all pending migrations
  lanterne migrate downgrade -1           revert the last migration
  lanterne migrate revision -m \"add teams\"
                                          create an empty migration
  lanterne seed --admin-email you@example.com
                                          create an administrator
  lanterne prune --sessions-days 30       delete sessions that expired more than 30 days ago
  lanterne users reset-password you@example.com
                                          print a token to set a new password
  lanterne health                         ask a running server whether it is ready
  lanterne backup /backups/monday.db      copy the database, also while the server runs
  lanterne restore /backups/monday.db     replace the database by that copy
  lanterne up --help                      show the options of a command

In a source tree, `cargo lanterne` runs the same program.

Environment:
  SECRET_KEY, BCRYPT_COST, ...  the variables of spin.toml in upper case. In order of precedence:
                                --variable, SPIN_VARIABLE_<NAME>, <NAME>, and either name in .env
  DATABASE_URL                  the database file: sqlite:///relative or sqlite:////absolute
  LANTERNE_CACHE_DIR            the cache of compiled components [default: ~/.cache/lanterne]
  NO_COLOR                      disable colors

Exit status:
  0  success; for `up`: stopped by a signal
  1  failure
  2  usage error: an invalid argument or variable
  `migrate`, `seed`, `prune`, `users` and `deliver` exit with the status of the component, which has the same
  meaning.";

pub(crate) const MIGRATE_HELP: &str = "\
Examples:
  lanterne migrate upgrade head      apply all pending migrations
  lanterne migrate downgrade -1      revert the last migration
  lanterne migrate current           show the revision of the database
  lanterne migrate history           list the migrations
  lanterne migrate help              show all commands

A downgrade drops what the reverted migrations added. While a server uses the database, it is refused
without --yes. The other commands run beside a server.

In a source tree, without opening the database:
  lanterne migrate revision -m \"add teams\"                  create an empty migration
  lanterne migrate revision -m \"add teams\" --autogenerate   generate it from schema.sql";

pub(crate) const SEED_HELP: &str = "\
Examples:
  lanterne seed                                 create two users whose passwords are public
  lanterne seed --admin-email you@example.com   create an administrator, and print a password
  lanterne seed help                            show all arguments";

pub(crate) const PRUNE_HELP: &str = "\
Examples:
  lanterne prune --sessions-days 30 --audit-days 365 --dry-run
  lanterne prune help                           show all arguments";

pub(crate) const USERS_HELP: &str = "\
Examples:
  lanterne users list example.com
  lanterne users promote you@example.com
  lanterne users reset-password you@example.com
  lanterne users -- help                        show the component's help";

pub(crate) const DELIVER_HELP: &str = "\
Examples:
  lanterne deliver                              deliver what is due
  lanterne deliver -- help                      show the component's help";
