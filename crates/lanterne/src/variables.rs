//! The values of the app's variables: from flags, the environment and `.env`, in this order.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;

use anyhow::{Result, bail};
use lanterne_host::App;

use crate::console::UsageError;
use crate::dotenv::{self, Dotenv};

/// The variable with the location of the database `default`, as in the Python server. Manifests do not declare it.
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";

/// The sources of values, besides the defaults in the manifest.
pub(crate) struct Variables {
    flags: BTreeMap<String, String>,
    environment: Vec<(String, String)>,
    dotenv: Dotenv,
}

impl Variables {
    /// Checks that the app declares the variables that `flags` set, and reads the environment and `.env`. Refuses what could
    /// be lost without notice: a value that cannot be read, and different values under several names of one variable.
    pub(crate) fn read(app: &App, flags: &[(String, String)]) -> Result<Self> {
        let declared: BTreeSet<&str> = declared(app).collect();
        if let Some((name, _)) = flags.iter().find(|(name, _)| !declared.contains(name.as_str())) {
            let file = app.main.path.display();
            let declared = Vec::from_iter(declared).join(", ");
            bail!(UsageError(format!("--variable {name}: {file} declares no such variable; it has {declared}")));
        }
        let names = || declared.iter().copied().chain([DATABASE_URL]);
        let dotenv = dotenv::read(&app.dir)?;
        let environment = environment(env::vars_os(), names())?;
        for name in names() {
            if let Some((name, fault)) = dotenv.unreadable.iter().find(|(other, _)| is_name_of(other, name)) {
                bail!(UsageError(format!("{}: {name}: {fault}", dotenv::path(&app.dir).display())));
            }
            check_unambiguous(
                "the environment",
                environment.iter().filter(|(other, _)| is_plain_name_of(other, name)),
            )?;
            check_unambiguous(".env", dotenv.entries.iter().filter(|(other, _)| is_name_of(other, name)))?;
            let all = environment.iter().chain(&dotenv.entries);
            check_prefix(all.map(|(name, _)| name.as_str()), name)?;
        }
        Ok(Self { flags: flags.iter().cloned().collect(), environment, dotenv })
    }

    /// Returns the values of the declared variables that are set.
    pub(crate) fn values(&self, app: &App) -> BTreeMap<String, String> {
        declared(app).filter_map(|name| Some((name.to_owned(), self.get(name)?.to_owned()))).collect()
    }

    /// Whether a variable is set. An empty value counts, except in `.env`, which may be a template that was not filled in.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.outside_dotenv(name).is_some() || self.in_dotenv(name).is_some_and(|value| !value.is_empty())
    }

    /// Returns the URL of the database.
    pub(crate) fn database_url(&self) -> Option<&str> {
        let value = self.outside_dotenv(DATABASE_URL);
        value.or_else(|| self.in_dotenv(DATABASE_URL).filter(|value| !value.is_empty()))
    }

    /// Adds a line to what was read from `.env`, without writing the file.
    pub(crate) fn add_to_dotenv(&mut self, name: String, value: String) {
        self.dotenv.entries.push((name, value));
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.outside_dotenv(name).or_else(|| self.in_dotenv(name))
    }

    fn outside_dotenv(&self, name: &str) -> Option<&str> {
        let value = |is_name: &dyn Fn(&str) -> bool| {
            self.environment.iter().find(|(other, _)| is_name(other)).map(|(_, value)| value.as_str())
        };
        let flag = self.flags.get(name).map(String::as_str);
        let prefixed = || value(&|other| other == prefixed(name));
        flag.or_else(prefixed).or_else(|| value(&|other| is_plain_name_of(other, name)))
    }

    /// Returns the last value that is not empty, if there is one: an empty line must not hide a filled one.
    fn in_dotenv(&self, name: &str) -> Option<&str> {
        let mut lines = self.dotenv.entries.iter().rev().filter(|(other, _)| is_name_of(other, name));
        let filled = lines.clone().find(|(_, value)| !value.is_empty());
        filled.or_else(|| lines.next()).map(|(_, value)| value.as_str())
    }
}

/// Reads those environment variables that are names of variables.
fn environment<'a>(
    all: impl Iterator<Item = (OsString, OsString)>,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<Vec<(String, String)>> {
    let mut environment = Vec::new();
    for (name, value) in all {
        let Ok(name) = name.into_string() else { continue };
        if !names.clone().any(|variable| is_name_of(&name.to_uppercase(), variable)) {
            continue;
        }
        match value.into_string() {
            Ok(value) => environment.push((name, value)),
            Err(_) => bail!(UsageError(format!("the value of {name} in the environment is not UTF-8"))),
        }
    }
    Ok(environment)
}

/// Refuses different values under several names: whoever adds a second line, such as a new secret, expects it to count.
fn check_unambiguous<'a>(place: &str, entries: impl Iterator<Item = &'a (String, String)>) -> Result<()> {
    // Of equal names the last counts.
    let by_name: BTreeMap<&str, &str> =
        entries.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if by_name.values().collect::<BTreeSet<_>>().len() > 1 {
        let names = Vec::from_iter(by_name.into_keys()).join(" and ");
        bail!(UsageError(format!("{place} sets {names} to different values: remove one of them")));
    }
    Ok(())
}

/// Refuses a name with Spin's prefix in another case, which Spin does not read.
fn check_prefix<'a>(mut names: impl Iterator<Item = &'a str>, variable: &str) -> Result<()> {
    let prefixed = prefixed(variable);
    match names.find(|name| name.eq_ignore_ascii_case(&prefixed) && *name != prefixed) {
        Some(name) => bail!(UsageError(format!("{name} is not read: Spin reads only {prefixed}"))),
        None => Ok(()),
    }
}

fn declared(app: &App) -> impl Iterator<Item = &str> {
    app.manifests().flat_map(|manifest| manifest.variables.keys()).map(String::as_str)
}

/// Returns the name under which Spin reads a variable.
pub(crate) fn prefixed(variable: &str) -> String {
    format!("SPIN_VARIABLE_{}", variable.to_ascii_uppercase())
}

/// Whether `name` is the name of a variable in the Python server, which accepted any case.
fn is_plain_name_of(name: &str, variable: &str) -> bool {
    name.eq_ignore_ascii_case(variable)
}

fn is_name_of(name: &str, variable: &str) -> bool {
    is_plain_name_of(name, variable) || name == prefixed(variable)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn entries(lines: &[(&str, &str)]) -> Vec<(String, String)> {
        lines.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn several_names_with_different_values_are_refused() {
        let check =
            |lines: &[(&str, &str)]| check_unambiguous(".env", entries(lines).iter()).map_err(|it| it.to_string());
        let (prefixed, plain, small) = ("SPIN_VARIABLE_SECRET_KEY", "SECRET_KEY", "secret_key");
        let complaint = check(&[(prefixed, "a"), (plain, "b")]).unwrap_err();
        assert!(complaint.contains("SECRET_KEY and SPIN_VARIABLE_SECRET_KEY"), "{complaint}");
        assert!(check(&[(plain, "a"), (small, "b")]).is_err());
        for lines in [
            &[(prefixed, "a"), (plain, "a")],
            &[(prefixed, "a"), (plain, "")],
            &[(prefixed, ""), (small, "b")],
            &[(prefixed, ""), (plain, "")],
            &[(plain, "a"), (plain, "b")],
        ] {
            assert_eq!(check(lines), Ok(()), "{lines:?}");
        }
    }

    #[test]
    fn names_have_any_case_but_the_prefix_has_not() {
        let get = |lines: &[(&str, &str)]| {
            let dotenv = Dotenv { entries: entries(lines), ..Dotenv::default() };
            let variables = Variables { flags: BTreeMap::new(), environment: Vec::new(), dotenv };
            variables.get("lanterne_x").map(str::to_owned)
        };
        let (prefixed, plain, small) = ("SPIN_VARIABLE_LANTERNE_X", "LANTERNE_X", "lanterne_x");
        assert_eq!(get(&[(prefixed, ""), (plain, "b")]).as_deref(), Some("b"));
        assert_eq!(get(&[(prefixed, "a"), (plain, "")]).as_deref(), Some("a"));
        assert_eq!(get(&[(small, "a")]).as_deref(), Some("a"));
        assert_eq!(get(&[("Lanterne_X", "a"), (small, "")]).as_deref(), Some("a"));
        assert_eq!(get(&[(plain, "a"), (plain, "b")]).as_deref(), Some("b"));
        assert_eq!(get(&[(plain, "")]).as_deref(), Some(""));
        assert_eq!(get(&[]), None);
        assert!(check_prefix(["spin_variable_lanterne_x"].into_iter(), "lanterne_x").is_err());
        assert!(check_prefix([prefixed, small, "spin_variable_other"].into_iter(), "lanterne_x").is_ok());
    }

    #[test]
    fn the_environment_is_read_in_any_case_and_in_utf8_only() {
        let read = |name: &str, value: &[u8]| {
            let all = [(name.into(), OsString::from_vec(value.to_vec()))];
            environment(all.into_iter(), ["secret_key"].into_iter()).map_err(|error| error.to_string())
        };
        for name in ["SECRET_KEY", "secret_key", "SPIN_VARIABLE_SECRET_KEY"] {
            assert_eq!(read(name, b"x"), Ok(entries(&[(name, "x")])));
        }
        assert_eq!(read("OTHER", b"\xFF"), Ok(Vec::new()));
        assert_eq!(
            read("SECRET_KEY", b"\xFF"),
            Err("the value of SECRET_KEY in the environment is not UTF-8".to_owned())
        );
    }
}
