//! Addresses in brackets, as in `ann@[192.0.2.1]` (RFC 5321 section 4.1.3). None is accepted; this finds the reason.

use std::net::Ipv6Addr;

use super::Reason;
use super::characters::check_all;

const INVALID: &str = "The part after the @-sign contains invalid characters in brackets";

/// Why what stands between the brackets is refused: not an address at all, or an address, which is not allowed either.
pub(super) fn refuse(literal: &str) -> Reason {
    if literal.chars().all(|c| c == '.' || c.is_ascii_digit()) && !literal.is_empty() {
        return match ipv4_fault(literal) {
            Some(fault) => format!(
                "The address in brackets after the @-sign is not valid: It is not an IPv4 address ({fault}) or is \
                 missing an address literal tag."
            )
            .into(),
            None => "A bracketed IP address after the @-sign is not allowed here.".into(),
        };
    }
    match literal.split_once(':') {
        None => "The part after the @-sign in brackets is not an IPv4 address and has no address literal tag.".into(),
        Some((tag, address)) if tag.eq_ignore_ascii_case("ipv6") => match address.parse::<Ipv6Addr>() {
            Ok(_) => "A bracketed IP address after the @-sign is not allowed here.".into(),
            Err(_) => format!(
                "The IPv6 address in brackets after the @-sign is not valid ('{address}' does not appear to be an \
                 IPv6 address)."
            )
            .into(),
        },
        // RFC 5321 allows visible ASCII; email-validator's range reaches a little further.
        Some(_) => match check_all(literal, |c| matches!(c, '!'..='ú'), INVALID) {
            Err(reason) => reason,
            Ok(()) => "The part after the @-sign contains an invalid address literal tag in brackets.".into(),
        },
    }
}

/// The fault that Python's `ipaddress.IPv4Address` tells.
fn ipv4_fault(literal: &str) -> Option<String> {
    let octets: Vec<&str> = literal.split('.').collect();
    if octets.len() != 4 {
        return Some(format!("Expected 4 octets in '{literal}'"));
    }
    octets.into_iter().find_map(|octet| {
        let fault = match octet {
            "" => "Empty octet not permitted".to_owned(),
            _ if octet.len() > 3 => format!("At most 3 characters permitted in '{octet}'"),
            _ if octet.len() > 1 && octet.starts_with('0') => format!("Leading zeros are not permitted in '{octet}'"),
            _ if octet.parse::<u8>().is_err() => format!("Octet {octet} (> 255) not permitted"),
            _ => return None,
        };
        Some(format!("{fault} in '{literal}'"))
    })
}

#[cfg(test)]
mod tests {
    use super::ipv4_fault;

    #[test]
    fn faulty_ipv4_addresses_are_named_as_python_names_them() {
        let cases = [
            ("192.0.2.1", None),
            ("1.2.3", Some("Expected 4 octets in '1.2.3'")),
            ("1.2.3.", Some("Empty octet not permitted in '1.2.3.'")),
            ("1.2.3.0004", Some("At most 3 characters permitted in '0004' in '1.2.3.0004'")),
            ("1.2.3.04", Some("Leading zeros are not permitted in '04' in '1.2.3.04'")),
            ("1.2.3.256", Some("Octet 256 (> 255) not permitted in '1.2.3.256'")),
        ];
        for (literal, fault) in cases {
            assert_eq!(ipv4_fault(literal).as_deref(), fault, "{literal}");
        }
    }
}
