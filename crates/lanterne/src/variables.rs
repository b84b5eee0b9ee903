//! The values of the app's variables: from flags, the environment and `.env`, in this order.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use anyhow::{Result, bail};
use lanterne_host::App;

use crate::console::UsageError;
use crate::dotenv;

/// The sources of values, besides the defaults in the manifest and the environment.
pub(crate) struct Variables {
    flags: BTreeMap<String, String>,
    dotenv: BTreeMap<String, String>,
}

impl Variables {
    /// Checks that the app declares the variables that `flags` set, and reads `.env`.
    pub(crate) fn read(app: &App, flags: &[(String, String)]) -> Result<Self> {
        let declared: BTreeSet<&str> = declared(app).collect();
        if let Some((name, _)) = flags.iter().find(|(name, _)| !declared.contains(name.as_str())) {
            let file = app.main.path.display();
            let declared = Vec::from_iter(declared).join(", ");
            bail!(UsageError(format!("--variable {name}: {file} declares no such variable; it has {declared}")));
        }
        let dotenv = dotenv::read(&app.dir)?;
        for name in declared {
            check_unambiguous(&dotenv, name)?;
        }
        Ok(Self { flags: flags.iter().cloned().collect(), dotenv })
    }

    /// Returns the values of the declared variables that are set.
    pub(crate) fn values(&self, app: &App) -> BTreeMap<String, String> {
        let get = |name: &str| self.get_outside_dotenv(name).or_else(|| self.get_in_dotenv(name));
        declared(app).filter_map(|name| Some((name.to_owned(), get(name)?))).collect()
    }

    /// Whether a variable is set. An empty value counts, except in `.env`, which may be a template that was not filled in.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get_outside_dotenv(name).is_some() || self.get_in_dotenv(name).is_some_and(|value| !value.is_empty())
    }

    /// Returns the value of an environment variable, or else that in `.env`.
    pub(crate) fn environment(&self, name: &str) -> Option<String> {
        env::var(name).ok().or_else(|| self.dotenv.get(name).cloned())
    }

    /// Adds a line to what was read from `.env`, without writing the file.
    pub(crate) fn add_to_dotenv(&mut self, name: String, value: String) {
        self.dotenv.insert(name, value);
    }

    fn get_outside_dotenv(&self, name: &str) -> Option<String> {
        let flag = self.flags.get(name).cloned();
        flag.or_else(|| environment_names(name).into_iter().find_map(|name| env::var(name).ok()))
    }

    fn get_in_dotenv(&self, name: &str) -> Option<String> {
        let names = environment_names(name);
        let mut lines = names.iter().filter_map(|name| self.dotenv.get(name));
        // An empty line must not hide a filled one.
        let filled = lines.clone().find(|value| !value.is_empty());
        filled.or_else(|| lines.next()).cloned()
    }
}

/// Refuses a `.env` that sets a variable by both names to different values: whoever adds a second line, such as a new secret,
/// expects it to count.
fn check_unambiguous(dotenv: &BTreeMap<String, String>, name: &str) -> Result<()> {
    let names = environment_names(name);
    let filled = names.iter().filter(|name| dotenv.get(*name).is_some_and(|value| !value.is_empty()));
    let values: BTreeSet<_> = filled.map(|name| &dotenv[name]).collect();
    if values.len() > 1 {
        let [prefixed, plain] = names;
        bail!(UsageError(format!(".env sets {prefixed} and {plain} to different values: remove one of these lines")));
    }
    Ok(())
}

fn declared(app: &App) -> impl Iterator<Item = &str> {
    app.manifests().flat_map(|manifest| manifest.variables.keys()).map(String::as_str)
}

/// Returns the names of a variable in the environment; the first wins.
pub(crate) fn environment_names(name: &str) -> [String; 2] {
    let plain = name.to_uppercase();
    [format!("SPIN_VARIABLE_{plain}"), plain]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_with_different_values_are_refused() {
        let check = |prefixed: &str, plain: &str| {
            let lines = [("SPIN_VARIABLE_SECRET_KEY", prefixed), ("SECRET_KEY", plain)];
            let dotenv = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            check_unambiguous(&dotenv, "secret_key").map_err(|error| error.to_string())
        };
        let complaint = check("a", "b").unwrap_err();
        assert!(complaint.contains("SPIN_VARIABLE_SECRET_KEY and SECRET_KEY"), "{complaint}");
        for (prefixed, plain) in [("a", "a"), ("a", ""), ("", "b"), ("", "")] {
            assert_eq!(check(prefixed, plain), Ok(()));
        }
    }

    #[test]
    fn an_empty_line_of_dotenv_does_not_hide_a_filled_one() {
        let get = |lines: &[(&str, &str)]| {
            let dotenv = lines.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            Variables { flags: BTreeMap::new(), dotenv }.get_in_dotenv("lanterne_x")
        };
        let (prefixed, plain) = ("SPIN_VARIABLE_LANTERNE_X", "LANTERNE_X");
        assert_eq!(get(&[(prefixed, ""), (plain, "b")]).as_deref(), Some("b"));
        assert_eq!(get(&[(prefixed, "a"), (plain, "b")]).as_deref(), Some("a"));
        assert_eq!(get(&[(prefixed, "a"), (plain, "")]).as_deref(), Some("a"));
        assert_eq!(get(&[(plain, "")]).as_deref(), Some(""));
        assert_eq!(get(&[]), None);
    }
}
