//! E-mail addresses: the normal form is a fixed point, and other spellings of an address lead to it.
#![no_main]

use lanterne_core::email::Email;
use libfuzzer_sys::fuzz_target;

/// RFC 5321, section 4.5.3.1.3, without the angle brackets.
const ADDRESS_BYTES_MAX: usize = 254;

fuzz_target!(|text: &str| match Email::parse(text) {
    Ok(email) => check(text, &email),
    Err(reason) => {
        let reason = reason.to_string();
        assert!(!reason.is_empty() && !reason.contains(char::is_control), "{text:?}: {reason:?}");
    }
});

fn check(text: &str, email: &Email) {
    let normal = email.as_str();
    let (local, domain) = normal.rsplit_once('@').expect("an @-sign");
    assert!(normal.len() <= ADDRESS_BYTES_MAX && !local.is_empty() && domain.contains('.'), "{normal:?}");
    assert!(!normal.contains(|c: char| c.is_control() || c.is_whitespace()), "{normal:?}");
    assert!(!local.contains(['@', '"', '<', '>', '\\', '(', ')', ',', ':', ';']), "{normal:?}");

    let ascii = idna::domain_to_ascii(domain).expect("a domain in ASCII");
    assert!(ascii.is_ascii() && local.len() + 1 + ascii.len() <= ADDRESS_BYTES_MAX, "{normal:?}");
    let spellings = [
        normal.to_owned(),
        format!("{local}@{ascii}"),
        format!("{local}@{}", ascii.to_ascii_uppercase()),
        format!("A. Name <{normal}>"),
        format!("\"A, <Name>\" <{normal}>"),
        format!("\u{3000}{text}\t"),
    ];
    for spelling in spellings.iter().filter(|spelling| spelling.chars().count() <= 2048) {
        assert_eq!(Email::parse(spelling).as_ref(), Ok(email), "{text:?}: {spelling:?}");
    }
}
