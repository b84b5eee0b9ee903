//! Who is asking: the address and the agent that sessions and audit rows keep.

/// The longest address that the schema keeps: an IPv6 address with an embedded IPv4 one.
const ADDRESS_MAX: usize = 45;
/// The longest user agent that the schema keeps, in characters.
const AGENT_MAX: usize = 500;

/// The client behind a request, as far as the request tells.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The client's address, without port.
    pub address: Option<String>,
    /// The `User-Agent` header.
    pub agent: Option<String>,
}

impl Client {
    /// Keeps what fits the schema, with control characters escaped: both values come from outside and end in logs.
    #[must_use]
    pub fn new(address: Option<&str>, agent: Option<&str>) -> Self {
        Self {
            address: address.map(|text| printable(text, ADDRESS_MAX)),
            agent: agent.map(|text| printable(text, AGENT_MAX)),
        }
    }
}

/// `text` with control characters as `\u{..}` escapes, cut to `length_max` characters.
#[must_use]
pub fn printable(text: &str, length_max: usize) -> String {
    let escaped = text.chars().flat_map(|character| {
        let escape = character.is_control();
        let (plain, spelled) = if escape { (None, Some(character.escape_default())) } else { (Some(character), None) };
        plain.into_iter().chain(spelled.into_iter().flatten())
    });
    escaped.take(length_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_length_is_bounded() {
        assert_eq!(printable("curl/8\r\nforged: line", 100), r"curl/8\r\nforged: line");
        assert_eq!(printable("\u{1b}[31mred", 100), r"\u{1b}[31mred");
        assert_eq!(printable(&"é".repeat(600), AGENT_MAX).chars().count(), AGENT_MAX);
    }
}
