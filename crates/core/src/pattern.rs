//! Patterns of SQLite for texts that contain a part literally, in any case.
//!
//! Characters are compared one by one, so `ß` is `ẞ` but not `SS`, and `İ` is only itself.

/// Groups of letters that differ only in case, where the simple mappings of the standard library do not lead from each to
/// all others: several small letters have one capital, or the capital is more than one character.
const GROUPS: &str = "Iiı Kk\u{212A} Ssſ µΜμ Åå\u{212B} ßẞ Ǆǅǆ Ǉǈǉ Ǌǋǌ Ǳǲǳ \u{345}Ιι\u{1FBE} Ββϐ Εεϵ Θθϑϴ Κκϰ Ππϖ Ρρϱ Σςσ Φφϕ Ωω\u{2126} \
    Ввᲀ Ддᲁ Ооᲂ Ссᲃ Ттᲄᲅ Ъъᲆ Ѣѣᲇ ᲈꙊꙋ Ṡṡẛ ᾀᾈ ᾁᾉ ᾂᾊ ᾃᾋ ᾄᾌ ᾅᾍ ᾆᾎ ᾇᾏ ᾐᾘ ᾑᾙ ᾒᾚ ᾓᾛ ᾔᾜ ᾕᾝ ᾖᾞ ᾗᾟ ᾠᾨ ᾡᾩ ᾢᾪ ᾣᾫ ᾤᾬ ᾥᾭ ᾦᾮ ᾧᾯ ᾳᾼ \
    ῃῌ ῳῼ";

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
    if let Some(group) = GROUPS.split(' ').find(|group| group.contains(character)) {
        return group.chars().collect();
    }
    let mut cases = vec![character];
    for case in [single(character.to_uppercase()), single(character.to_lowercase())].into_iter().flatten() {
        if !cases.contains(&case) {
            cases.push(case);
        }
    }
    cases
}

/// Returns the only character, if there is one.
fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    characters.next().filter(|_| characters.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
    fn letters_that_differ_only_in_case_find_each_other() {
        let has_case = |c: &char| !c.to_lowercase().eq([*c]) || !c.to_uppercase().eq([*c]);
        for character in ('\0'..=char::MAX).filter(has_case) {
            let all = cases(character);
            assert!(all.contains(&character), "{character}");
            for case in &all {
                assert_eq!(BTreeSet::from_iter(cases(*case)), BTreeSet::from_iter(all.clone()), "{character} {case}");
            }
        }
    }

    #[test]
    fn a_glob_matches_in_any_case() {
        let db = Connection::open_in_memory().unwrap();
        for (text, part, is_match) in [
            ("xJoséy", "jOSÉ", true),
            ("JOSÉ", "josé", true),
            ("jose", "josé", false),
            ("σας", "ΣΑΣ", true),
            ("σασ", "ΣΑΣ", true),
            ("σας", "ΣΑσ", true),
            ("ΣΑΣ", "σας", true),
            ("ςασ", "ςας", true),
            ("straße", "STRAẞE", true),
            ("STRAẞE", "straße", true),
            ("strasse", "straße", false),
            ("ﬁſté", "ﬁSTÉ", true),
            ("ﬁSTÉ", "ﬁſté", true),
            ("ǆé", "ǅÉ", true),
            ("ǅé", "Ǆé", true),
            ("kadır", "KADıR", true),
            ("KADIR", "kadır", true),
            ("İé", "ié", false),
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
