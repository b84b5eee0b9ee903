//! Patterns of SQLite for texts that contain a part literally, in any case.

/// Returns a pattern for `LIKE ... ESCAPE '\'`, which ignores the case of ASCII letters only.
pub(crate) fn like(part: &str) -> String {
    let mut pattern = String::from("%");
    for character in part.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(without_nul(character));
    }
    pattern.push('%');
    pattern
}

/// Returns a pattern for GLOB with a set of upper and lower case for each letter. About five times as slow as LIKE.
pub(crate) fn glob(part: &str) -> String {
    let mut pattern = String::from("*");
    for character in part.chars() {
        let cases = cases(without_nul(character));
        if cases.len() > 1 || matches!(character, '*' | '?' | '[') {
            pattern.push('[');
            pattern.extend(cases);
            pattern.push(']');
        } else {
            pattern.extend(cases);
        }
    }
    pattern.push('*');
    pattern
}

/// Replaces NUL, at which SQLite stops to read a pattern, by another character that no address has.
fn without_nul(character: char) -> char {
    if character == '\0' { '\u{1}' } else { character }
}

/// Returns a character, and the single characters that differ from it only in case.
fn cases(character: char) -> Vec<char> {
    let mut cases = vec![character];
    let add = |cases: &mut Vec<char>, mapped: &mut dyn Iterator<Item = char>| {
        if let (Some(one), None) = (mapped.next(), mapped.next())
            && !cases.contains(&one)
        {
            cases.push(one);
        }
    };
    add(&mut cases, &mut character.to_uppercase());
    // The capital of a final sigma has another small letter.
    for index in 0..cases.len() {
        let case = cases[index];
        add(&mut cases, &mut case.to_lowercase());
    }
    cases
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn wildcards_are_literal() {
        assert_eq!(like("a.b@c"), "%a.b@c%");
        assert_eq!(like(r"50%_\"), r"%50\%\_\\%");
        assert_eq!(like("a\0"), "%a\u{1}%");
        assert_eq!(glob("É*"), "*[Éé][*]*");
        assert_eq!(glob("1\0"), "*1\u{1}*");
    }

    #[test]
    fn a_glob_matches_in_any_case() {
        let db = Connection::open_in_memory().unwrap();
        for (text, part, is_match) in [
            ("xJoséy", "jOSÉ", true),
            ("JOSÉ", "josé", true),
            ("jose", "josé", false),
            ("σας", "ΣΑΣ", false),
            ("ΣΑΣ", "σας", true),
            ("ςασ", "ςας", true),
            ("straße", "STRAẞE", true),
            ("ét*?[^]-%_", "É*?[^]-%_", false),
            ("é*?[^]-%_", "É*?[^]-%_", true),
            ("éx", "É?", false),
            ("éx", "É*", false),
            ("éx", "É[x]", false),
        ] {
            let found = db.query_row("SELECT ?1 GLOB ?2", [text, &glob(part)], |row| row.get::<_, bool>(0));
            assert_eq!(found.unwrap(), is_match, "{part} in {text}");
        }
    }
}
