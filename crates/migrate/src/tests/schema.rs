//! The migrations lead to `migrations/schema.sql`, and back to nothing.

use lanterne_database::SqliteFile;

use super::{BASE, HEAD, database, down, execute, rows, texts, up};
use crate::arguments::Target;
use crate::migrations::MIGRATIONS;

const SCHEMA: &str = include_str!("../../../../migrations/schema.sql");

/// Describes a schema independently of its text: in the `CREATE TABLE` of an altered table, a later column is in another
/// place.
fn structure(db: &SqliteFile) -> Vec<String> {
    let of_tables = "FROM sqlite_master AS m, {} AS x
                     WHERE m.type = 'table' AND m.name NOT IN ('schema_migrations', 'sqlite_sequence')
                     ORDER BY m.name";
    let from = |function: &str| of_tables.replace("{}", &format!("{function}(m.name)"));
    let mut lines = texts(
        db,
        &format!(
            "SELECT format('%s.%s %s notnull=%d default=%s pk=%d hidden=%d',
                       m.name, x.name, x.type, x.\"notnull\", x.dflt_value, x.pk, x.hidden) {}, x.cid",
            from("pragma_table_xinfo")
        ),
    );
    lines.extend(texts(
        db,
        &format!(
            "SELECT format('%s: %s refers to %s.%s, %s, %s',
                       m.name, x.\"from\", x.\"table\", x.\"to\", x.on_update, x.on_delete) {}, x.\"from\"",
            from("pragma_foreign_key_list")
        ),
    ));
    lines.extend(texts(db, &format!(
        "SELECT format('%s: index %s unique=%d partial=%d over %s', m.name, x.name, x.\"unique\", x.partial,
                       (SELECT group_concat(coalesce(name, '?') || iif(\"desc\", ' DESC', '')) FROM pragma_index_xinfo(x.name)
                        WHERE key)) {}, x.name",
        from("pragma_index_list")
    )));
    // What pragmas do not report: these keywords of tables, and the whole text of other objects.
    let definitions = texts(
        db,
        "SELECT name || ': ' || sql FROM sqlite_master
                     WHERE sql IS NOT NULL AND name NOT IN ('schema_migrations', 'sqlite_sequence') AND type <> 'index'
                     ORDER BY type, name",
    );
    for text in definitions {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !words.contains("CREATE TABLE") {
            lines.push(words);
            continue;
        }
        for word in ["AUTOINCREMENT", "CHECK", "COLLATE", "STRICT", "WITHOUT ROWID"] {
            let count = words.to_uppercase().matches(word).count();
            let table = words.split(':').next().unwrap_or_default();
            lines.push(format!("{table}: {count} {word}"));
        }
    }
    lines
}

#[test]
fn a_migrated_database_matches_schema_sql() {
    let ((_one, migrated), (_other, fresh)) = (database(), database());
    for _ in MIGRATIONS {
        up(&migrated, MIGRATIONS, Target::Steps(1)).expect("it runs");
    }
    execute(&fresh, SCHEMA);
    assert_eq!(structure(&migrated), structure(&fresh));
    assert!(structure(&fresh).iter().any(|line| line.starts_with("users.email VARCHAR(255) notnull=1")));
}

#[test]
fn downgrade_to_base_leaves_only_the_empty_version_table() {
    let (_folder, db) = database();
    for _ in MIGRATIONS {
        up(&db, MIGRATIONS, HEAD).expect("it runs");
        down(&db, MIGRATIONS, BASE).expect("it runs");
        let names = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        assert_eq!(texts(&db, names), ["schema_migrations"]);
        assert!(rows(&db, "SELECT 1 FROM schema_migrations").is_empty());
    }
}

#[test]
fn reapplying_a_migration_gives_the_same_structure() {
    let (_folder, db) = database();
    for migration in MIGRATIONS {
        let before = structure(&db);
        up(&db, MIGRATIONS, Target::Steps(1)).expect("it runs");
        let after = structure(&db);
        assert_ne!(after, before, "{migration}");
        down(&db, MIGRATIONS, Target::Steps(1)).expect("it runs");
        assert_eq!(structure(&db), before, "{migration}");
        up(&db, MIGRATIONS, Target::Steps(1)).expect("it runs");
        assert_eq!(structure(&db), after, "{migration}");
    }
}
