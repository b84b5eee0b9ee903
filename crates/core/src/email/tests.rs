use super::{Email, mailbox};

fn normal(text: &str) -> Result<String, String> {
    Email::parse(text).map(|email| email.to_string()).map_err(|reason| reason.to_string())
}

#[test]
fn valid_addresses_are_normalized() {
    let cases = [
        ("ann@lanterne.org", "ann@lanterne.org"),
        ("  Ann.O'Hara+tag@LANTERNE.Org\t", "Ann.O'Hara+tag@lanterne.org"),
        ("Ann O'Hara <ann@lanterne.org>", "ann@lanterne.org"),
        ("\u{1F}ann@lanterne.org\u{3000}", "ann@lanterne.org"),
        ("PostMaster@lanterne.org", "postmaster@lanterne.org"),
        ("Postmasters@lanterne.org", "Postmasters@lanterne.org"),
        ("e\u{301}@lanterne.org", "é@lanterne.org"),
        ("ｅ@lanterne.org", "ｅ@lanterne.org"),
        ("用户@BÜCHER。de", "用户@bücher.de"),
        ("ann@xn--bcher-kva.de", "ann@bücher.de"),
        ("ann@XN--BCHER-KVA.de", "ann@bücher.de"),
        ("ann@straße.de", "ann@straße.de"),
        ("ann@ｌａｎterne.org", "ann@lanterne.org"),
        ("ann@col·labora.cat", "ann@col·labora.cat"),
        ("ann@ラーメン・屋.jp", "ann@ラーメン・屋.jp"),
        ("ann@mail.example", "ann@mail.example"),
        ("ann@notlocalhost.org", "ann@notlocalhost.org"),
        ("ann@ΠΑΡΆΔΕΙΓΜΑ.gr", "ann@παράδειγμα.gr"),
        ("ann@Пример.xn--p1ai", "ann@пример.рф"),
        ("ann@موقع.وزارة-الاتصالات.مصر", "ann@موقع.وزارة-الاتصالات.مصر"),
        ("ann@אתר.ישראל", "ann@אתר.ישראל"),
        ("ann@उदाहरण.परीक्षा", "ann@उदाहरण.परीक्षा"),
        ("ann@རྒྱ་མཚོ.org", "ann@རྒྱ་མཚོ.org"),
        ("ann@二〇.佐々木.jp", "ann@二〇.佐々木.jp"),
        ("ann@\u{1112}\u{1161}\u{11AB}국.kr", "ann@한국.kr"),
    ];
    for (text, address) in cases {
        assert_eq!(normal(text).as_deref(), Ok(address), "{text}");
    }
}

#[test]
fn ordinary_mistakes_are_reported_in_the_words_of_email_validator() {
    let cases = [
        ("ann", "An email address must have an @-sign."),
        (
            "ann＠lanterne.org",
            "The email address has the \"full-width\" at-sign (@) character instead of a regular at-sign.",
        ),
        ("\"ann@lanterne.org", "An email address must have an @-sign."),
        ("@lanterne.org", "There must be something before the @-sign."),
        ("ann@", "There must be something after the @-sign."),
        ("an(n@lanterne.org", "The email address contains invalid characters before the @-sign: '('."),
        ("a\u{327}\u{202F}n@lanterne.org", "The email address contains unsafe characters: U+202F."),
        ("ann@\u{327}\u{20DD}.org", "The email address contains unsafe characters: U+0327."),
        ("\u{20DD}ann@lanterne.org", "The email address contains unsafe characters: U+20DD."),
        ("ann@אa.org", "The part after the @-sign is not valid IDNA."),
        ("ann@1.אב.com", "The part after the @-sign is not valid IDNA."),
        (
            "ann@xn--a.org",
            "The part after the @-sign is not valid IDNA (Codepoint U+0080 at position 1 of '\\x80' not allowed).",
        ),
        ("ann@xn--zz", "The part after the @-sign is not valid. It should have a period."),
        ("\u{200B}ann@lanterne.org", "The email address contains unsafe characters: ZERO WIDTH SPACE."),
        ("ann@😀.org", "The part after the @-sign is invalid (Codepoint U+1F600 at position 1 of '😀' not allowed)."),
        (
            "ann@lan＿terne.org",
            "The part after the @-sign is invalid (Codepoint U+005F at position 4 of 'lan_terne' not allowed).",
        ),
        ("ann@bücher。。de", "An email address cannot have two periods in a row."),
        ("'n'@lan'terne.org", "The part after the @-sign contains invalid characters: \"'\"."),
        (
            "a\u{7}a\u{7} b@lanterne.org",
            "The email address contains invalid characters before the @-sign: SPACE, U+0007.",
        ),
        (".ann@lanterne.org", "An email address cannot start with a period."),
        ("ann.@lanterne.org", "An email address cannot have a period immediately before the @-sign."),
        ("a..n@lanterne.org", "An email address cannot have two periods in a row."),
        ("\"a n\"@lanterne.org", "Quoting the part before the @-sign is not allowed here."),
        ("\"a\"n@lanterne.org", "Extra character(s) found after close quote: 'n'"),
        ("ann@lan..terne.org", "An email address cannot have two periods in a row."),
        ("ann@lan-.terne.org", "An email address cannot have a period and a hyphen next to each other."),
        ("ann@lanterne.org.", "An email address cannot end with a period."),
        ("ann@lanterne", "The part after the @-sign is not valid. It should have a period."),
        ("ann@lanterne.9", "The part after the @-sign is not valid. It is not within a valid top-level domain."),
        (
            "ann@my.LocalHost",
            "The part after the @-sign is a special-use or reserved name that cannot be used with email.",
        ),
        ("ann@[192.0.2.1]", "A bracketed IP address after the @-sign is not allowed here."),
        ("ann@[IPv6:2001:db8::1]", "A bracketed IP address after the @-sign is not allowed here."),
        ("ann@[x-tag:1]", "A bracketed IP address after the @-sign is not allowed here."),
        (
            "ann@aa--b.org",
            "An email address cannot have two letters followed by two dashes immediately after the @-sign or after a period, except Punycode.",
        ),
        ("Ann, Bea <a@b.org>", "The display name contains invalid characters when not quoted: ','."),
        ("\"Ann\" Bea <a@b.org>", "Extra character(s) found after close quote: SPACE, 'B', 'e', 'a'"),
        ("Ann <a@b.org> Bea", "There can't be anything after the email address."),
        ("Ann <>", "An email address must have an @-sign."),
        ("<<a@b.org>>", "A display name and angle brackets around the email address are not permitted here."),
        ("a\r\n@b.org", "Carriage return and line feed characters are not allowed"),
    ];
    for (text, reason) in cases {
        assert_eq!(normal(text), Err(reason.to_owned()), "{text}");
    }
}

#[test]
fn lengths_are_limited_as_in_email_validator() {
    let long = |c: &str, times: usize| format!("{}@lanterne.org", c.repeat(times));
    assert!(normal(&long("a", 241)).is_ok());
    assert_eq!(normal(&long("a", 242)), Err("The email address is too long (1 character too many).".to_owned()));
    assert!(normal(&long("é", 120)).is_ok());
    assert_eq!(normal(&long("é", 123)), Err("The email address is too long (2-5 characters too many).".to_owned()));
    assert_eq!(normal(&" ".repeat(2049)), Err("Length must not exceed 2048 characters".to_owned()));

    let domain = |label: usize| format!("ann@{}.org", "d".repeat(label));
    assert!(normal(&domain(63)).is_ok());
    let reason = "After the @-sign, periods cannot be separated by so many characters (2 characters too many).";
    assert_eq!(normal(&domain(65)), Err(reason.to_owned()));
    let reason = "The email address is too long after the @-sign (1 character too many).";
    assert_eq!(normal(&domain(250)), Err(reason.to_owned()));
    let reason = "The part after the @-sign is invalid (Label too long).";
    assert_eq!(normal(&format!("ann@{}.org", "ü".repeat(60))), Err(reason.to_owned()));
}

#[test]
fn misleading_characters_are_refused() {
    let cases = [
        "\u{200B}ann@lanterne.org",
        "a\u{202E}nn@lanterne.org",
        "\u{301}ann@lanterne.org",
        "ann@\u{301}lanterne.org",
        "ann@😀.org",
        "ann@xn--a.org",
        "ann@xn--lanterne-.org",
        "ann@xn--1--0xa.com",
        "ann@a·b.org",
        "ann@⒈lanterne.org",
        "ann@1.אב.com",
        "ann@a\u{200D}b.org",
        "ann@क\u{94D}\u{200D}ष.org",
        "ann@١۱.org",
        "ann@\u{AD}.org",
        "ann@xn--11b2ezcw70k.org",
        "ann@a・b.org",
        "ann@lanterne․org",
        "ann@b＠lanterne.org",
        "ann@م\u{640}صر.org",
        "ann@\u{1100}.org",
        "ann@a\u{20D2}b.org",
        "a>\u{338}@lanterne.org",
        "a\u{37E}@lanterne.org",
    ];
    for text in cases {
        assert!(normal(text).is_err(), "{text:?} became {:?}", normal(text));
    }
}

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
        assert_eq!(mailbox::address_in_brackets(text), address, "{text}");
    }
}
