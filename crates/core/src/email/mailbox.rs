//! Taking `Name <local@domain>` apart.

use super::Reason;
use super::characters::{self, is_python_space};

/// The characters that end the part before an address or its domain, unless they are quoted.
const AT_OR_BRACKET: &[char] = &['@', '<'];

/// An address in its parts, as they were typed.
pub(super) struct Mailbox<'a> {
    pub(super) local: &'a str,
    pub(super) domain: &'a str,
    pub(super) has_display_name: bool,
}

/// What stands between the angle brackets of `Name <...>`, `"Quoted name" <...>` or `<...>`: pydantic's
/// `pretty_email_regex`, which looks no further into the address.
pub(super) fn address_in_brackets(text: &str) -> Option<&str> {
    let text = text.trim_matches(is_python_space).strip_suffix('>')?;
    let after_name = |rest: &'_ str| {
        let address = rest.trim_start_matches(is_python_space).strip_prefix('<')?;
        (!address.is_empty()).then_some(rest.len() - rest.trim_start_matches(is_python_space).len() + 1)
    };
    if let Some(quoted) = text.strip_prefix('"') {
        // The regex is greedy: the last quote that leaves a bracketed address behind it ends the name.
        return quoted
            .rmatch_indices('"')
            .filter(|(at, _)| *at > 0)
            .find_map(|(at, _)| after_name(&quoted[at + 1..]).map(|skip| &quoted[at + 1 + skip..]));
    }
    let (name, address) = text.split_once('<')?;
    let is_name =
        name.chars().all(|c| is_python_space(c) || characters::is_word(c) || ".!#$%&'*+-/=?^`{|}~".contains(c));
    (is_name && !address.is_empty()).then_some(address)
}

impl<'a> Mailbox<'a> {
    /// Splits at the first `@` outside quotes, after unwrapping angle brackets.
    pub(super) fn split(text: &'a str) -> Result<Self, Reason> {
        let (left, right) = split_at_unquoted(text, AT_OR_BRACKET)?;
        if !right.starts_with('<') {
            return Ok(Self { local: left, domain: &right[1..], has_display_name: false });
        }
        check_display_name(left.trim_end_matches(is_python_space))?;
        if !right.contains('>') {
            return Err("An open angle bracket at the start of the email address has to be followed by a close angle \
                        bracket at the end."
                .into());
        }
        let address = right[1..].trim_end_matches(' ').strip_suffix('>');
        let address = address.ok_or("There can't be anything after the email address.")?;
        let (local, domain) = split_at_unquoted(address, &AT_OR_BRACKET[..1])?;
        Ok(Self { local, domain: domain.strip_prefix('@').unwrap_or(domain), has_display_name: true })
    }
}

/// The text before and from the first of the special characters that is not quoted.
fn split_at_unquoted<'a>(text: &'a str, specials: &[char]) -> Result<(&'a str, &'a str), Reason> {
    let mut inside_quotes = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if characters::combines_with_next(&text[at..]) {
            // `<` and a combining solidus make another character, which is not special.
        } else if inside_quotes {
            inside_quotes = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
        } else if c == '"' {
            inside_quotes = true;
        } else if specials.contains(&c) {
            return Ok(text.split_at(at));
        }
    }
    Err(if text.contains('＠') {
        "The email address has the \"full-width\" at-sign (@) character instead of a regular at-sign.".into()
    } else if text.contains('﹫') {
        "The email address has the \"small commercial at\" character instead of a regular at-sign.".into()
    } else {
        "An email address must have an @-sign.".into()
    })
}

/// The text without the quotes around it and the backslashes in it, and whether there were quotes.
pub(super) fn unquote(text: &str) -> Result<(String, bool), Reason> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Ok((text.to_owned(), false));
    };
    let mut value = String::new();
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => value.extend(rest.next()),
            '"' if rest.as_str().is_empty() => break,
            '"' => {
                let extra: Vec<String> = rest.map(characters::display).collect();
                return Err(format!("Extra character(s) found after close quote: {}", extra.join(", ")).into());
            }
            _ => value.push(c),
        }
    }
    Ok((value, true))
}

fn check_display_name(text: &str) -> Result<(), Reason> {
    let (name, quoted) = unquote(text)?;
    if !quoted {
        characters::check_all(
            &name,
            |c| c == ' ' || characters::is_ascii_atom(c),
            "The display name contains invalid characters when not quoted",
        )?;
    }
    characters::check_safe(&name, true)
}

#[cfg(test)]
mod tests {
    use super::address_in_brackets;

    #[test]
    fn names_before_angle_brackets_are_dropped() {
        let cases = [
            ("Ann <a@b.org>", Some("a@b.org")),
            (" Ann-Marie O'Hara 2.0\t< a@b.org > ", Some(" a@b.org ")),
            ("Élodie<a@b.org>", Some("a@b.org")),
            ("<<a@b.org>>", Some("<a@b.org>")),
            ("\"Ann, \\\"B\\\" <x>\" <a@b.org>", Some("a@b.org")),
            ("\"Ann\" <x> \"Bea\" <a@b.org>", Some("a@b.org")),
            ("\"\" <a@b.org>", None),
            ("Ann, Bea <a@b.org>", None),
            ("Ann \"Bea\" <a@b.org>", None),
            ("<>", None),
            ("Ann <a@b.org> x", None),
            ("a@b.org", None),
        ];
        for (text, address) in cases {
            assert_eq!(address_in_brackets(text), address, "{text}");
        }
    }
}
