//! The app's variables, and the templates that are filled in with them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

use crate::manifest::{Component, Manifest};

/// The values of the variables of one manifest.
pub(crate) struct Variables<'a> {
    pub(crate) manifest: &'a Manifest,
    /// Missing ones have their default.
    pub(crate) values: &'a BTreeMap<String, String>,
}

impl Variables<'_> {
    /// Resolves the variables that `component` may read.
    pub(crate) fn of(&self, component: &Component) -> Result<BTreeMap<String, String>> {
        let templates = component.variables.iter();
        templates.map(|(name, template)| Ok((name.clone(), self.fill(template)?))).collect()
    }

    /// Replaces every `{{ name }}` in `template`.
    pub(crate) fn fill(&self, template: &str) -> Result<String> {
        fill(template, |name| self.value(name))
    }

    fn value(&self, name: &str) -> Result<&str> {
        let file = self.manifest.path.display();
        let declared = self.manifest.variables.get(name);
        let declared = declared.with_context(|| format!("{file}: there is no variable {name:?} in [variables]"))?;
        let value = self.values.get(name).or(declared.default.as_ref()).map(String::as_str);
        value.with_context(|| format!("the variable {name} has no value, and no default in {file}"))
    }
}

/// Replaces every `{{ name }}` in `template`; values are not expanded again.
fn fill<'v>(template: &str, value: impl Fn(&str) -> Result<&'v str>) -> Result<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, from_name)) = rest.split_once("{{") {
        let Some((name, after)) = from_name.split_once("}}") else {
            bail!("the template {template:?} has {{{{ without }}}}");
        };
        filled.push_str(before);
        filled.push_str(value(name.trim())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_anywhere_in_a_template() {
        let value = |name: &str| Ok(if name == "a" { "A" } else { "B" });
        assert_eq!(fill("{{ a }}", value).unwrap(), "A");
        assert_eq!(fill("x{{a}}y{{ b }}z", value).unwrap(), "xAyBz");
        assert_eq!(fill("plain }}", value).unwrap(), "plain }}");
        assert!(fill("{{ a", value).is_err());
    }

    #[test]
    fn values_are_not_templates() {
        assert_eq!(fill("{{ a }}", |_| Ok("{{ b }}")).unwrap(), "{{ b }}");
    }
}
