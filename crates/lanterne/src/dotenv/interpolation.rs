//! `${NAME}` and `${NAME:-default}` in values, as python-dotenv replaces them. Any other `$` stays.

/// Replaces the variables in `value` by what `lookup` returns, or else by their default, or else by nothing.
pub(super) fn interpolate(value: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        rest = match variable(after) {
            Some((name, default, after)) => {
                filled.push_str(&lookup(name).unwrap_or_else(|| default.to_owned()));
                after
            }
            None => {
                filled.push_str("${");
                after
            }
        };
    }
    filled + rest
}

/// Splits `NAME:-default}rest` into its parts.
fn variable(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = text.split_at(text.find(['}', ':'])?);
    if let Some(rest) = after.strip_prefix('}') {
        return Some((name, "", rest));
    }
    let (default, rest) = after.strip_prefix(":-")?.split_once('}')?;
    Some((name, default, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_in_braces_are_replaced() {
        let lookup = |name: &str| (name == "A").then(|| "${B}".to_owned());
        for (value, filled) in [
            ("pa$sw0rd$", "pa$sw0rd$"),
            ("$A $$ ${", "$A $$ ${"),
            ("x${A}y${A}", "x${B}y${B}"),
            ("${B}", ""),
            ("${B:-b}", "b"),
            ("${A:-b}", "${B}"),
            ("${B:-}", ""),
            ("${B:-a:b$c}", "a:b$c"),
            ("${B-b}${B:?b}${A:", "${B:?b}${A:"),
            ("${:x${A}", "${:x${B}"),
            ("$${A}", "$${B}"),
            ("\\${A}", "\\${B}"),
        ] {
            assert_eq!(interpolate(value, lookup), filled, "{value}");
        }
    }
}
