//! `lanterne up --watch`: rebuilds the components whose sources change, and replaces them in the running server.

use std::collections::BTreeMap;
use std::mem;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use lanterne_host::{App, Reloader};

use crate::building;
use crate::cli::Common;
use crate::console::{Console, UsageError};

/// How often the files are looked at. Changes count once nothing has changed for so long: an editor saves several files.
const INTERVAL: Duration = Duration::from_millis(500);

/// The state of the files of a component: when each was modified, and its size.
type Files = BTreeMap<PathBuf, (SystemTime, u64)>;
/// The files of each component, by its name.
type Components = BTreeMap<String, Files>;

/// The components of an app whose files are watched.
pub(crate) struct Watch {
    app: App,
    /// Whether the sources are watched, and not the components.
    builds: bool,
    console: Console,
    changes: Changes,
}

impl Watch {
    /// Loads the app and records the current state of its files.
    ///
    /// # Errors
    /// The app is not a source tree with valid patterns and a UTF-8 path.
    pub(crate) fn new(common: &Common) -> Result<Self> {
        let from = &common.place.from;
        if from.app()?.is_embedded() {
            bail!(UsageError("--watch needs the sources of the app: name their directory with --from".to_owned()));
        }
        let (app, builds) = (from.sources()?, !common.no_build);
        let changes = Changes::new(files(&app, builds)?);
        Ok(Self { app, builds, console: Console::new(from.quiet), changes })
    }

    /// Starts a thread that watches the components of the server.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn start(self, reloader: Reloader) -> Result<()> {
        let thread = thread::Builder::new().name("watch".into());
        thread.spawn(move || self.run(&reloader)).map(drop).context("cannot start a thread")
    }

    fn run(mut self, reloader: &Reloader) {
        let mut reported = String::new();
        loop {
            thread::sleep(INTERVAL);
            match files(&self.app, self.builds) {
                Ok(files) => {
                    reported.clear();
                    let changed = self.changes.poll(files);
                    self.replace(reloader, changed.iter().map(String::as_str).filter(|name| reloader.has(name)));
                }
                // Once, as long as it is the same.
                Err(error) => {
                    let error = format!("{error:#}");
                    if error != reported {
                        log::error!("{error}");
                        reported = error;
                    }
                }
            }
        }
    }

    /// Builds components and replaces them in the server. A component that cannot be built or loaded is not replaced.
    fn replace<'a>(&self, reloader: &Reloader, names: impl Iterator<Item = &'a str>) {
        for names in by_command(&self.app, names) {
            if self.builds
                && let Err(error) = building::rebuild(&self.app, &names, self.console)
            {
                log::error!("{error:#}; {} stays as it was", names.join(", "));
                continue;
            }
            for name in names {
                match reloader.reload(name) {
                    Ok(()) => self.console.done("Replaced", format_args!("{name}: new requests use it")),
                    Err(error) => log::error!("{error:#}; {name} stays as it was"),
                }
            }
        }
    }
}

/// Groups components by the command that builds them.
fn by_command<'a>(app: &App, names: impl Iterator<Item = &'a str>) -> Vec<Vec<&'a str>> {
    let mut groups = BTreeMap::<_, Vec<&str>>::new();
    for name in names {
        let component = building::components(app).find(|(other, _)| *other == name);
        let command = component.and_then(|(_, component)| Some(&component.build.as_ref()?.command));
        // Those that are not built have groups of their own.
        groups.entry(command.map_or(name, String::as_str)).or_default().push(name);
    }
    groups.into_values().collect()
}

/// Returns the state of what the components are built from, or else of the components.
fn files(app: &App, builds: bool) -> Result<Components> {
    let mut components = Components::new();
    for (name, component) in building::components(app) {
        let paths = match &component.build {
            Some(build) if builds => building::watched_files(app, build)?
                .ok_or_else(|| UsageError("--watch needs a source directory whose path is UTF-8".to_owned()))?,
            _ => vec![app.source(component)],
        };
        let state = |path: PathBuf| {
            let metadata = path.metadata().ok().filter(|metadata| metadata.is_file())?;
            Some((path, (metadata.modified().ok()?, metadata.len())))
        };
        components.insert(name.to_owned(), paths.into_iter().filter_map(state).collect());
    }
    Ok(components)
}

/// Finds out which components have changed since they were built.
struct Changes {
    built: Components,
    latest: Components,
}

impl Changes {
    fn new(built: Components) -> Self {
        Self { latest: built.clone(), built }
    }

    /// Takes the present state of the files. Returns the components to build: those whose files have changed since their last
    /// build, and not since the last call.
    fn poll(&mut self, files: Components) -> Vec<String> {
        let latest = mem::replace(&mut self.latest, files);
        if latest != self.latest {
            return Vec::new();
        }
        let changed = self.latest.iter().filter(|(name, files)| self.built.get(*name) != Some(files));
        let changed = changed.map(|(name, _)| name.clone()).collect();
        self.built.clone_from(&self.latest);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state of two components with a file in common.
    fn files(api: u64, shared: u64) -> Components {
        let file = |name: &str, size| (PathBuf::from(name), (SystemTime::UNIX_EPOCH, size));
        let api = Files::from([file("api.rs", api), file("shared.rs", shared)]);
        Components::from([("api".to_owned(), api), ("seed".to_owned(), Files::from([file("shared.rs", shared)]))])
    }

    #[test]
    fn changes_in_quick_succession_are_one() {
        let mut changes = Changes::new(files(1, 1));
        let none: [&str; 0] = [];
        assert_eq!(changes.poll(files(1, 1)), none);
        for size in 2..5 {
            assert_eq!(changes.poll(files(size, 1)), none, "still changing");
        }
        assert_eq!(changes.poll(files(4, 1)), ["api"]);
        assert_eq!(changes.poll(files(4, 1)), none, "it was built");
    }

    #[test]
    fn a_shared_file_changes_all_components_that_have_it() {
        let mut changes = Changes::new(files(1, 1));
        changes.poll(files(1, 2));
        assert_eq!(changes.poll(files(1, 2)), ["api", "seed"]);
    }

    #[test]
    fn files_that_change_during_a_build_change_the_component_again() {
        let mut changes = Changes::new(files(1, 1));
        changes.poll(files(2, 1));
        assert_eq!(changes.poll(files(2, 1)), ["api"]);
        // The first look after the build.
        changes.poll(files(3, 1));
        assert_eq!(changes.poll(files(3, 1)), ["api"]);
    }

    #[test]
    fn added_and_removed_files_count() {
        let mut changes = Changes::new(files(1, 1));
        let mut fewer = files(1, 1);
        fewer.insert("api".to_owned(), Files::new());
        changes.poll(fewer.clone());
        assert_eq!(changes.poll(fewer), ["api"]);
        changes.poll(files(1, 1));
        assert_eq!(changes.poll(files(1, 1)), ["api"]);
    }

    #[test]
    fn components_with_one_command_are_built_together() {
        let temporary = tempfile::tempdir().unwrap();
        let component = |name: &str, command: &str| {
            format!("[component.{name}]\nsource = \"{name}.wasm\"\nbuild = {{ command = \"{command}\" }}\n")
        };
        let manifest =
            ["spin_manifest_version = 2\n", &component("a", "make"), &component("b", "other"), &component("c", "make")];
        std::fs::write(temporary.path().join("spin.toml"), manifest.concat()).unwrap();
        let app = App::read(temporary.path()).unwrap();
        assert_eq!(by_command(&app, ["a", "b", "c"].into_iter()), [vec!["a", "c"], vec!["b"]]);
    }
}
