//! Names in SQL: which of them need quotes.

/// Words that are values where a value may stand.
const VALUES: [&str; 6] = ["current_date", "current_time", "current_timestamp", "false", "null", "true"];

/// The keywords of SQLite (<https://sqlite.org/lang_keywords.html>), in lower case. SQLite takes many of
/// them as names; those who read them do not.
const KEYWORDS: &str = "
    abort action add after all alter always analyze and as asc attach autoincrement before begin between by
    cascade case cast check collate column commit conflict constraint create cross current current_date
    current_time current_timestamp database default deferrable deferred delete desc detach distinct do drop each
    else end escape except exclude exclusive exists explain fail false filter first following for foreign from
    full generated glob group groups having if ignore immediate in index indexed initially inner insert instead
    intersect into is isnull join key last left like limit match materialized natural no not nothing notnull
    null nulls of offset on or order others outer over partition plan pragma preceding primary query raise range
    recursive references regexp reindex release rename replace restrict returning right rollback row rows
    savepoint select set table temp temporary then ties to transaction trigger true unbounded union unique
    update using vacuum values view virtual when where window with without";

/// Whether the name, which is in lower case, would be a value without quotes.
pub(crate) fn is_value(name: &str) -> bool {
    VALUES.contains(&name)
}

/// Whether the name has only what a name may have without quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_keyword(name: &str) -> bool {
    KEYWORDS.split_ascii_whitespace().any(|keyword| name.eq_ignore_ascii_case(keyword))
}

/// The name as it can be written into SQL, with quotes only where they are needed.
pub(crate) fn quoted(name: &str) -> String {
    if is_plain(name) && !is_keyword(name) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The name as a text: `'users'`.
pub(crate) fn text(name: &str) -> String {
    format!("'{}'", name.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_need_them_get_quotes() {
        for plain in ["users", "E_mail2", "_x"] {
            assert_eq!(quoted(plain), plain);
        }
        for (name, written) in [
            ("order", "\"order\""),
            ("Table", "\"Table\""),
            ("a b", "\"a b\""),
            ("2a", "\"2a\""),
            ("a\"b", "\"a\"\"b\""),
        ] {
            assert_eq!(quoted(name), written);
        }
    }

    #[test]
    fn every_keyword_in_quotes_is_a_name_for_sqlite() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        for keyword in KEYWORDS.split_ascii_whitespace() {
            let name = quoted(keyword);
            db.execute_batch(&format!("CREATE TABLE {name} ({name} INTEGER); DROP TABLE {name}")).unwrap();
        }
    }
}
