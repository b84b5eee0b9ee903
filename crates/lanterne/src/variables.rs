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

/// The prefix of the names that Spin reads.
const PREFIX: &str = "SPIN_VARIABLE_";

/// The most letters that are inserted, left out, replaced or swapped in a misspelt name, and how many letters of the right
/// one each of them takes.
const TYPOS_MAX: usize = 2;
const LETTERS_PER_TYPO: usize = 5;

/// The sources of values, besides the defaults in the manifest.
pub(crate) struct Variables {
    flags: BTreeMap<String, String>,
    environment: Vec<(String, String)>,
    dotenv: Dotenv,
    /// The names in the environment that only Spin's variables have.
    prefixed: Vec<String>,
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
        let prefixed = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let prefixed = prefixed.filter(|name| name.starts_with(PREFIX)).collect();
        Ok(Self { flags: flags.iter().cloned().collect(), environment, dotenv, prefixed })
    }

    /// Returns the values of the declared variables that are set.
    pub(crate) fn values(&self, app: &App) -> BTreeMap<String, String> {
        declared(app).filter_map(|name| Some((name.to_owned(), self.get(name)?.to_owned()))).collect()
    }

    /// Whether a variable is set. An empty value counts, except in `.env`, which may be a template that was not filled in.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.outside_dotenv(name).is_some() || self.is_in_dotenv(name)
    }

    /// Returns the URL of the database.
    pub(crate) fn database_url(&self) -> Option<&str> {
        let value = self.outside_dotenv(DATABASE_URL);
        value.or_else(|| self.in_dotenv(DATABASE_URL).filter(|value| !value.is_empty()))
    }

    /// Whether `.env` sets a variable to a value that is not empty.
    pub(crate) fn is_in_dotenv(&self, name: &str) -> bool {
        self.in_dotenv(name).is_some_and(|value| !value.is_empty())
    }

    /// Returns a warning for each name in `.env` that nothing reads and that resembles the name of a variable, and for such
    /// names with Spin's prefix in the environment. Other names may be for other programs.
    pub(crate) fn misspelt(&self, app: &App) -> Vec<String> {
        let known: Vec<String> = declared(app).chain([DATABASE_URL]).map(str::to_ascii_uppercase).collect();
        let in_dotenv = self.dotenv.entries.iter().map(|(name, _)| name);
        let in_dotenv = in_dotenv.chain(self.dotenv.unreadable.iter().map(|(name, _)| name)).map(|name| (".env", name));
        let names: BTreeSet<_> = in_dotenv.chain(self.prefixed.iter().map(|name| ("the environment", name))).collect();
        let warning = |(place, name): (&str, &String)| {
            let meant = resembling(name, &known)?;
            Some(format!("{place} sets {name}, which is not read: did you mean {meant}?"))
        };
        names.into_iter().filter_map(warning).collect()
    }

    /// Adds a line to what was read from `.env`, without writing the file.
    pub(crate) fn add_to_dotenv(&mut self, name: String, value: String) {
        self.dotenv.entries.push((name, value));
    }

    /// Sets a variable, as a flag does.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.flags.insert(name.to_owned(), value.to_owned());
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

/// Returns the one of the `known` names, in upper case, that `name` resembles most without being it. With Spin's prefix if
/// `name` has it. Short names are too often those of other programs.
fn resembling(name: &str, known: &[String]) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let (prefix, plain) = upper.strip_prefix(PREFIX).map_or(("", &*upper), |plain| (PREFIX, plain));
    if known.iter().any(|known| known == plain) {
        return None;
    }
    let distances = known.iter().map(|known| (strsim::osa_distance(known, plain), known));
    let close = distances.filter(|(distance, known)| *distance <= TYPOS_MAX.min(known.len() / LETTERS_PER_TYPO));
    close.min().map(|(_, known)| format!("{prefix}{known}"))
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
    format!("{PREFIX}{}", variable.to_ascii_uppercase())
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
            let (flags, environment, prefixed) = Default::default();
            let variables = Variables { flags, environment, dotenv, prefixed };
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
    fn only_close_misspellings_are_suspicious() {
        let known =
            ["SECRET_KEY", "SECRET_KEY_PREVIOUS", "BCRYPT_COST", "MAIL", "DEBUG", "DATABASE_URL"].map(str::to_owned);
        for (name, meant) in [
            ("BCRYPT_COSTS", Some("BCRYPT_COST")),
            ("bcrypt-cost", Some("BCRYPT_COST")),
            ("SERCET_KEYS", Some("SECRET_KEY")),
            ("SECRETKEY", Some("SECRET_KEY")),
            ("SECRET_KEY_PREVIOS", Some("SECRET_KEY_PREVIOUS")),
            ("DATABASE_URI", Some("DATABASE_URL")),
            ("DEBUGS", Some("DEBUG")),
            ("SPIN_VARIABLE_BCRYPT_COTS", Some("SPIN_VARIABLE_BCRYPT_COST")),
            ("bcrypt_cost", None),
            ("SPIN_VARIABLE_SECRET_KEY", None),
            ("spin_variable_secret_key", None),
            ("EMAIL", None),
            ("MAILS", None),
            ("DJANGO_SECRET_KEY", None),
            ("HOME", None),
            ("", None),
        ] {
            assert_eq!(resembling(name, &known).as_deref(), meant, "{name}");
        }
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
