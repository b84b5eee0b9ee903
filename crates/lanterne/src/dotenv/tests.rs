use std::os::unix::ffi::OsStringExt as _;

use super::*;

/// Parses a file, in an environment with `HOME=/root`, and with `LATIN1` that is not UTF-8.
fn read(text: &str) -> Dotenv {
    let variables = [("HOME", b"/root" as &[u8]), ("LATIN1", b"M\xFCnchen" as &[u8])];
    parse(
        text,
        &environment(variables.map(|(name, value)| (name.into(), OsString::from_vec(value.into()))).into_iter()),
    )
}

#[track_caller]
fn expect(text: &str, entries: &[(&str, &str)]) {
    let expected: Vec<_> = entries.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(read(text), Dotenv { entries: expected, unreadable: Vec::new() }, "{text:?}");
}

/// The right sides of statements, and the values that python-dotenv reads.
const VALUES: &[(&str, &str)] = &[
    ("", ""),
    ("x", "x"),
    ("  x y \t", "x y"),
    ("pa$sw0rd-$x", "pa$sw0rd-$x"),
    ("\"pa$sw0rd-$x\"", "pa$sw0rd-$x"),
    ("'pa$sw0rd-$x'", "pa$sw0rd-$x"),
    (r"a\nb\\c\d", r"a\nb\\c\d"),
    (r#""a\nb\\c\d\"e\'f\a\b\f\r\t\v""#, "a\nb\\c\\d\"e'f\x07\x08\x0C\r\t\x0B"),
    (r"'a\nb\\c\d\'e'", r"a\nb\c\d'e"),
    ("'\"'", "\""),
    ("\"'\"", "'"),
    ("x\"y\"", "x\"y\""),
    ("it's", "it's"),
    ("x # y", "x"),
    ("x# y", "x# y"),
    ("x  #y#z", "x"),
    ("#x", "#x"),
    (" # x", ""),
    ("\"x # y\" # z", "x # y"),
    ("'x'#y", "x"),
    ("\"x\ny\"", "x\ny"),
    ("'x\ny'", "x\ny"),
    ("a=b==", "a=b=="),
    ("[\"http://a.example\", \"http://b.example\"]", "[\"http://a.example\", \"http://b.example\"]"),
    ("${HOME}/x", "/root/x"),
    ("'${HOME}'", "/root"),
    ("$HOME", "$HOME"),
    ("${NONE}x", "x"),
    ("${NONE:-y}", "y"),
    ("${HOME:-y}", "/root"),
    ("${HOME", "${HOME"),
    ("\u{A0}é\u{3000}", "é"),
];

#[test]
fn plain_values_are_read_as_by_python_dotenv() {
    for (text, value) in VALUES {
        for end in ["", "\n", "\r\n", "\r"] {
            expect(&format!("NAME={text}{end}"), &[("NAME", value)]);
        }
        expect(
            &format!("A=1\n  export \tNAME ={text}\n\n# it's a comment\nB=2"),
            &[("A", "1"), ("NAME", value), ("B", "2")],
        );
    }
}

#[test]
fn names_are_read_as_by_python_dotenv() {
    expect("\u{FEFF}SECRET_KEY=x", &[("SECRET_KEY", "x")]);
    expect("secret_key=x\n'quoted name'=y", &[("secret_key", "x"), ("quoted name", "y")]);
    expect("export=x\nexport export=y\nexports=z", &[("export", "x"), ("export", "y"), ("exports", "z")]);
    expect("A-B.C!=x", &[("A-B.C!", "x")]);
    // A name without value sets nothing.
    expect("NAME\nOTHER # comment\nexport HOME\nX=${HOME:-y}", &[("X", "")]);
}

#[test]
fn a_backslash_escapes_the_quote_behind_it() {
    for (text, value) in
        [(r#""a\\""#, r"a\"), (r"'a\\'", r"a\"), (r#""a\"b""#, "a\"b"), (r#""a\\" # ""#, r"a\"), (r"'\x\'y'", r"\x'y")]
    {
        expect(&format!("X={text}\nY=c"), &[("X", value), ("Y", "c")]);
    }
    for text in [r#"X="a\""#, r"X='a\'", r#"X="a\\\""#] {
        assert_eq!(read(text).unreadable, [("X".to_owned(), Unreadable::Python(1))], "{text}");
    }
}

#[test]
fn line_breaks_in_quotes_become_newlines() {
    for quote in ['"', '\''] {
        expect(&format!("X={quote}a\r\nb\rc\n\r{quote}\r\nY=d\r"), &[("X", "a\nb\nc\n\n"), ("Y", "d")]);
    }
}

#[test]
fn references_see_earlier_lines_before_the_environment() {
    expect("HOME=/a\nX=${HOME}${X}\nX=${X}/b", &[("HOME", "/a"), ("X", "/a"), ("X", "/a/b")]);
}

#[test]
fn lines_without_a_readable_name_are_skipped() {
    for line in ["=x", "'x=y", "''=x", "export =x", "\"", "#", "\\", "{", "[section]", "- ", "\u{1F}"] {
        expect(&format!("A=1\n{line}\nB=2"), &[("A", "1"), ("B", "2")]);
    }
}

#[test]
fn a_value_that_cannot_be_read_is_known_by_its_name_and_line() {
    let unreadable = |text: &str| {
        let Dotenv { entries, unreadable } = read(text);
        (entries.len(), unreadable)
    };
    let python = |name: &str, line| (name.to_owned(), Unreadable::Python(line));
    for line in
        ["SECRET_KEY=\"x", "SECRET_KEY='x", "SECRET_KEY='x'y", "SECRET_KEY: x", "SECRET_KEY x", "SECRET_KEY=\"x\\"]
    {
        let name = line.split(['=', ' ']).next().expect("a name");
        assert_eq!(unreadable(&format!("A=1\n\n{line}\nB=2")), (2, vec![python(name, 3)]), "{line}");
    }
    // The quote of OTHER ends in the line of SECRET_KEY.
    let text = "OTHER=\"x\nSECRET_KEY=\"y\"\nB=2";
    assert_eq!(unreadable(text), (1, vec![python("OTHER", 1), python("SECRET_KEY", 1)]));
}

#[test]
fn names_with_the_prefix_are_read_as_by_spin() {
    for (text, value) in [
        ("x", "x"),
        ("\"pa$sw0rd-x\"", "pa-x"),
        ("'pa$sw0rd'", "pa$sw0rd"),
        (r"a\$b", "a$b"),
        (r#""a\nb""#, "a\nb"),
        ("${NONE:-y}", ""),
        ("x # y", "x"),
        ("x\"y\"", "xy"),
        ("$OTHER", "z"),
        ("\"x\ny\"", "x\ny"),
        ("", ""),
    ] {
        let entries = [("OTHER", "z"), ("LAST", "it's"), ("SPIN_VARIABLE_X", value)];
        expect(&format!("\u{FEFF}OTHER=z\nSPIN_VARIABLE_X={text}\nLAST=it's\n"), &entries);
    }
    for text in ["x y", "it's", r"a\d", "\"x", "\"pa$sw0rd\""] {
        let Dotenv { entries, unreadable } = read(&format!("A=1\nSPIN_VARIABLE_X={text}\nB=2"));
        assert_eq!(entries.len(), 2, "{text}");
        assert_eq!(unreadable, [("SPIN_VARIABLE_X".to_owned(), Unreadable::Spin(2))], "{text}");
    }
}

#[test]
fn other_encodings_are_refused_only_where_they_matter() {
    let dotenv = decode(b"# M\xFCnchen\nCITY=M\xFCnchen\nSECRET_KEY=x").expect("it is read");
    assert_eq!(dotenv.entries, [("SECRET_KEY".to_owned(), "x".to_owned())]);
    assert_eq!(dotenv.unreadable, [("CITY".to_owned(), Unreadable::NotUtf8)]);
    let utf16: Vec<u8> = "\u{FEFF}A=1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(decode(&utf16).is_err_and(|error| error.to_string().contains("UTF-16")));
}

#[test]
fn a_reference_to_an_environment_variable_that_is_not_utf8_is_refused_where_it_matters() {
    for (text, name) in [
        ("X=a${LATIN1}", "X"),
        ("X=\"${LATIN1:-y}\"", "X"),
        ("SPIN_VARIABLE_X=a${LATIN1}", "SPIN_VARIABLE_X"),
        ("SPIN_VARIABLE_X=\"$LATIN1-\"", "SPIN_VARIABLE_X"),
    ] {
        let dotenv = read(&format!("A=1\n{text}\nB=2\n"));
        assert_eq!(dotenv.unreadable, [(name.to_owned(), Unreadable::Environment)], "{text}");
        assert_eq!(dotenv.entries.len(), 2, "{text}");
    }
    let through_another = read("A=${LATIN1}\nX=${A}").unreadable;
    assert_eq!(through_another, ["A", "X"].map(|name| (name.to_owned(), Unreadable::Environment)));
    expect("LATIN1=x\nX=${LATIN1}", &[("LATIN1", "x"), ("X", "x")]);
    expect("LATIN1=x\nSPIN_VARIABLE_X=$LATIN1", &[("LATIN1", "x"), ("SPIN_VARIABLE_X", "x")]);
    expect("X='$LATIN1'\nSPIN_VARIABLE_X='$LATIN1'", &[("X", "$LATIN1"), ("SPIN_VARIABLE_X", "$LATIN1")]);
}

#[test]
fn a_secret_is_written_unless_there_is_one() {
    const NAME: &str = "SPIN_VARIABLE_SECRET_KEY";
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = path(folder.path());
    for empty in ["", "A=1", "=", "=\"\"", "=''", "= # comment", "=x\n", "OTHER='it is not closed"] {
        let before = if empty.starts_with('=') { format!("{NAME}{empty}") } else { empty.to_owned() };
        fs::write(&file, &before).expect("it can be written");
        let Secret { value, is_new } = add_secret(folder.path(), NAME).expect("it can be written");
        let text = fs::read_to_string(&file).expect("it is there");
        if empty == "=x\n" {
            assert_eq!((value.as_str(), is_new, text), ("x", false, before));
            continue;
        }
        assert!(is_new && value.len() == 64, "{empty}");
        assert!(
            text.starts_with(&before) && text.ends_with(&format!("\n{NAME}={value}\n")) || before.is_empty(),
            "{text}"
        );
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        let again = add_secret(folder.path(), NAME).expect("it can be read");
        assert_eq!((again.value, again.is_new), (value, false), "{empty}");
    }
}
