use super::{NESTING_LEVELS_MAX, ParseError, parse};

#[test]
fn faults_carry_cpythons_text_and_the_character_position() {
    let cases = [
        ("", "Expecting value", 0),
        (" \t\r\n", "Expecting value", 4),
        ("\u{a0}1", "Expecting value", 0),
        ("nul", "Expecting value", 0),
        ("-", "Expecting value", 0),
        ("[", "Expecting value", 1),
        ("[1,]", "Expecting value", 3),
        ("[1 2]", "Expecting ',' delimiter", 3),
        ("[1", "Expecting ',' delimiter", 2),
        ("{", "Expecting property name enclosed in double quotes", 1),
        ("{\"ü\":1, }", "Expecting property name enclosed in double quotes", 8),
        ("{\"ü\"=1}", "Expecting ':' delimiter", 4),
        ("{\"ü\":}", "Expecting value", 5),
        ("{\"a\":1;", "Expecting ',' delimiter", 6),
        ("1 2", "Extra data", 2),
        ("00", "Extra data", 1),
        ("1.e5", "Extra data", 1),
        ("1e+", "Extra data", 1),
        ("[\"ü", "Unterminated string starting at", 1),
        ("\"a\\", "Unterminated string starting at", 0),
        ("\"é\n\"", "Invalid control character at", 2),
        ("\"é\\x\"", "Invalid \\escape", 2),
        ("\"é\\u12é4\"", "Invalid \\uXXXX escape", 3),
        ("\"\\u00e9", "Invalid \\uXXXX escape", 2),
        ("\"\\u123", "Invalid \\uXXXX escape", 2),
        ("\"\\ud83d\\uzzzz\"", "Invalid \\uXXXX escape", 8),
    ];
    for (text, message, position) in cases {
        match parse(text.as_bytes()) {
            Err(ParseError::Syntax(fault)) => {
                assert_eq!((fault.message, fault.position), (message, position), "{text}")
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn what_no_reply_could_echo_is_refused() {
    for text in
        ["NaN", "[Infinity]", "-Infinity", "1e999", "-1E400", "\"\\ud800\"", "\"\\udc00x\"", "\"\\ud83d\\u0041\""]
    {
        assert!(matches!(parse(text.as_bytes()), Err(ParseError::Syntax(_))), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let deepest = nested(NESTING_LEVELS_MAX);
    let value = parse(deepest.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap(), deepest);
    assert_eq!(parse(nested(NESTING_LEVELS_MAX + 1).as_bytes()), Err(ParseError::Unreadable));
    assert_eq!(parse("{\"a\":".repeat(5000).as_bytes()), Err(ParseError::Unreadable));
    // Only nesting counts, not the number of arrays.
    assert!(parse(format!("[{}0]", "[],".repeat(5000)).as_bytes()).is_ok());
}

#[test]
fn escapes_are_resolved() {
    let text = parse(br#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000""#).unwrap();
    assert_eq!(text, "\"\\/\x08\x0C\n\r\té😀\0".into());
}
