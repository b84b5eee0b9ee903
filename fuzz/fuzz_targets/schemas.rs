//! Migrations between schemas: a generated script leads to its goal, run statement by statement, and back.
//!
//! An input is two schemas, separated by a line `----`.
#![no_main]

use lanterne_fuzz::sqlite;
use lanterne_schema::{Error, Schema, Script, autogenerate, statements};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if text.contains('\0') {
        return;
    }
    let (from, to) = text.split_once("\n----\n").unwrap_or((text, ""));
    let (Some(one), Some(other)) = (schema(from), schema(to)) else { return };
    assert!(is_same(&one, &one) && is_same(&other, &other), "{text:?}");
    check_lack(from, &one);
    match autogenerate(&one, &other) {
        Ok(None) => assert!(is_same(&other, &one), "{text:?}"),
        Ok(Some(scripts)) => {
            assert!(!is_same(&other, &one), "{text:?}");
            check_script(from, &scripts.up, &other);
            check_script(to, &scripts.down, &one);
        }
        // It has to be written by hand.
        Err(Error::Unreachable(_)) => {}
        Err(error) => panic!("{text:?}: {error}"),
    }
});

/// Builds a schema; `None` if SQLite refuses it, it does more than define a schema, or it cannot be compared.
fn schema(sql: &str) -> Option<Schema> {
    if sql.to_ascii_uppercase().contains("TEMP") {
        return None;
    }
    let db = sqlite::open().expect("memory");
    db.execute_batch(sql).ok()?;
    let schema = Schema::from_sql([("the input", sql)]).ok()?;
    // Rows can make a migration fail.
    sqlite::is_empty(&db).then_some(schema)
}

fn is_same(one: &Schema, other: &Schema) -> bool {
    autogenerate(one, other).is_ok_and(|scripts| scripts.is_none())
}

/// Checks that a database with this schema lacks nothing of it.
fn check_lack(sql: &str, schema: &Schema) {
    let db = sqlite::open_unrestricted().expect("memory");
    db.execute_batch(sql).expect("accepted before");
    assert_eq!(schema.first_lack(&db).expect("it can be compared"), None, "{sql:?}");
}

/// Checks that the statements of a script lead from one schema to another.
fn check_script(from: &str, script: &Script, goal: &Schema) {
    let context = || format!("{from:?}: {}", script.sql);
    let texts: Vec<_> = statements(&script.sql).iter().map(|one| format!("{}\n;\n", one.text)).collect();
    let reached = Schema::from_sql([("from", from), ("script", &texts.concat())]);
    let reached = reached.unwrap_or_else(|error| panic!("{error}: {}", context()));
    assert!(is_same(&reached, goal), "{}", context());
}
