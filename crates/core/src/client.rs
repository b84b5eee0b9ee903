//! The network client behind a request, as sessions and audit rows record it.

/// The length of the column: an IPv6 address with an embedded IPv4 one.
const ADDRESS_CHARS_MAX: usize = 45;
/// The length of the column.
const USER_AGENT_CHARS_MAX: usize = 500;

/// The client behind a request; what is unknown is `None`.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The IP address, without port.
    pub address: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
}

impl Client {
    /// Escapes control characters and cuts both values to the length of their columns.
    #[must_use]
    pub fn new(address: Option<&str>, user_agent: Option<&str>) -> Self {
        Self {
            address: address.map(|text| printable(text, ADDRESS_CHARS_MAX)),
            user_agent: user_agent.map(|text| printable(text, USER_AGENT_CHARS_MAX)),
        }
    }
}

/// Escapes control characters as `\n`, `\u{1b}` and so on, and cuts the result to `chars_max` characters.
#[must_use]
pub fn printable(text: &str, chars_max: usize) -> String {
    let mut escaped = String::with_capacity(text.len().min(chars_max));
    for character in text.chars().take(chars_max) {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped.chars().take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_length_is_bounded() {
        assert_eq!(printable("curl/8\r\nforged: line", 100), r"curl/8\r\nforged: line");
        assert_eq!(printable("\u{1b}[31mred", 100), r"\u{1b}[31mred");
        assert_eq!(printable(&"é".repeat(600), USER_AGENT_CHARS_MAX).chars().count(), USER_AGENT_CHARS_MAX);
    }
}
