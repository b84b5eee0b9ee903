//! The values of variables: from flags, the environment, `.env`, and the manifest, in this order.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use lanterne_core::config::{self, Config};

use crate::console::Mistake;
use crate::dotenv;
use crate::interfaces::variables::GrantedVariables;
use crate::manifest::{Component, Manifest};
use crate::project::Project;

/// Where values come from, beside the manifest.
pub struct Sources {
    flags: BTreeMap<String, String>,
    dotenv: BTreeMap<String, String>,
}

impl Sources {
    /// Reads `.env` and checks the `--variable` flags.
    pub fn new(project: &Project, flags: &[(String, String)]) -> Result<Self> {
        for (name, _) in flags {
            if !project.manifests().any(|manifest| manifest.variables.contains_key(name)) {
                let known = project.manifests().flat_map(|manifest| manifest.variables.keys());
                let known: std::collections::BTreeSet<&str> = known.map(String::as_str).collect();
                let known = Vec::from_iter(known).join(", ");
                return Err(Mistake::new(format!(
                    "--variable {name}: {} declares no such variable; it has {known}",
                    project.app.path.display()
                )));
            }
        }
        Ok(Self { flags: flags.iter().cloned().collect(), dotenv: dotenv::read(&project.dir)? })
    }

    /// The value of a variable, unless only the manifest has one.
    pub fn get(&self, name: &str) -> Option<String> {
        self.get_outside_dotenv(name).or_else(|| self.get_in_dotenv(name))
    }

    /// Whether a variable has a value that is not empty, or is deliberately empty: a line of `.env`
    /// with nothing behind the = is a form that was not filled in.
    pub fn is_set(&self, name: &str) -> bool {
        self.get_outside_dotenv(name).is_some() || self.get_in_dotenv(name).is_some_and(|value| !value.is_empty())
    }

    fn get_outside_dotenv(&self, name: &str) -> Option<String> {
        let (prefixed, plain) = environment_names(name);
        let flag = self.flags.get(name).cloned();
        flag.or_else(|| std::env::var(prefixed).or_else(|_| std::env::var(plain)).ok())
    }

    fn get_in_dotenv(&self, name: &str) -> Option<String> {
        let (prefixed, plain) = environment_names(name);
        let lines = [self.dotenv.get(&prefixed), self.dotenv.get(&plain)];
        // A line that was not filled in must not hide one that was.
        let filled = lines.iter().flatten().find(|value| !value.is_empty());
        filled.or(lines.iter().flatten().next()).map(|value| value.to_string())
    }

    /// The value of a plain environment variable, from the environment or `.env`.
    pub fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().or_else(|| self.dotenv.get(name).cloned())
    }

    /// Takes `value` for a variable as if `.env` had held it.
    pub fn add_to_dotenv(&mut self, name: &str, value: String) {
        self.dotenv.insert(name.to_owned(), value);
    }
}

/// The names of a variable in the environment; the first wins.
pub fn environment_names(name: &str) -> (String, String) {
    let plain = name.to_uppercase();
    (format!("SPIN_VARIABLE_{plain}"), plain)
}

/// The value of `name`, which `manifest` must declare.
pub fn value(manifest: &Manifest, sources: &Sources, name: &str) -> Result<String> {
    let file = manifest.path.display();
    let Some(variable) = manifest.variables.get(name) else {
        bail!("{file}: there is no variable {name:?} in [variables]");
    };
    let value = sources.get(name).or_else(|| variable.default.clone());
    value.with_context(|| {
        let (prefixed, plain) = environment_names(name);
        format!("the variable {name} has no value: set {plain} or {prefixed} in the environment or in .env, or pass --variable {name}=...")
    })
}

/// The variables that `manifest` grants `component`, with every `{{ name }}` replaced.
pub(crate) fn granted(manifest: &Manifest, sources: &Sources, component: &Component) -> Result<GrantedVariables> {
    let resolve = |(name, template): (&String, &String)| {
        let value = fill(template, |name| value(manifest, sources, name))?;
        Ok((name.clone(), value))
    };
    component.variables.iter().map(resolve).collect()
}

/// Replaces every `{{ name }}` in `template`.
fn fill(template: &str, value: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, from_name)) = rest.split_once("{{") {
        let Some((name, after)) = from_name.split_once("}}") else {
            bail!("the template {template:?} has {{{{ without }}}}");
        };
        filled.push_str(before);
        filled.push_str(&value(name.trim())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Checks what the values mean before anything starts, with the rules of the API itself, and gives
/// what they mean. An app without its variables is some other app, for which there are no rules.
pub fn check_variables(project: &Project, sources: &Sources) -> Result<Option<Config>> {
    let declared = &project.app.variables;
    if !config::VARIABLES.iter().all(|&name| declared.contains_key(name)) {
        return Ok(None);
    }
    let lookup = |name: &str| value(&project.app, sources, name).ok();
    match Config::from_lookup(lookup) {
        Ok(config) => Ok(Some(config)),
        Err(faults) => Err(Mistake::new(faults.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_wherever_names_stand() {
        let value = |name: &str| Ok(name.to_uppercase());
        assert_eq!(fill("{{ a }}", value).unwrap(), "A");
        assert_eq!(fill("x{{a}}y{{ b }}z", value).unwrap(), "xAyBz");
        assert_eq!(fill("plain }}", value).unwrap(), "plain }}");
        assert!(fill("{{ a", value).is_err());
    }

    #[test]
    fn an_empty_line_of_dotenv_does_not_hide_a_filled_one() {
        let get = |lines: &[(&str, &str)]| {
            let dotenv = lines.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            Sources { flags: BTreeMap::new(), dotenv }.get_in_dotenv("lanterne_x")
        };
        let (prefixed, plain) = ("SPIN_VARIABLE_LANTERNE_X", "LANTERNE_X");
        assert_eq!(get(&[(prefixed, ""), (plain, "b")]).as_deref(), Some("b"));
        assert_eq!(get(&[(prefixed, "a"), (plain, "b")]).as_deref(), Some("a"));
        assert_eq!(get(&[(prefixed, "a"), (plain, "")]).as_deref(), Some("a"));
        assert_eq!(get(&[(plain, "")]).as_deref(), Some(""));
        assert_eq!(get(&[]), None);
    }

    #[test]
    fn a_filled_value_is_not_a_template_again() {
        let value = |_: &str| Ok("{{ b }}".to_owned());
        assert_eq!(fill("{{ a }}", value).unwrap(), "{{ b }}");
    }
}
