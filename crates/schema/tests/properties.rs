//! Random pairs of schemas: `up` leads from one to the other, `down` leads back, and rows are kept.
//!
//! Ordinary rows fit every constraint, and the migration must succeed on them. Wild rows have values that types convert,
//! collations merge and constraints refuse: the migration keeps every value, or fails and changes nothing.
//!
//! Results are compared by SQLite's pragmas, not by the library's own reading. A failure prints the seed and the script;
//! `check(seed)` runs that case alone.

mod random;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use lanterne_schema::{Schema, Script, autogenerate};
use random::numbers::Numbers;
use random::schema::RandomSchema;
use random::wild::Snapshot;
use rusqlite::Connection;
use rusqlite::types::Value;

/// The number of pairs: half are a schema and its changed copy, half are unrelated schemas.
const CASES: u64 = 300;

#[test]
fn up_and_down_reach_their_schemas_and_keep_rows() {
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let mut counts = BTreeMap::<&str, usize>::new();
    thread::scope(|scope| {
        let run =
            |first: u64| move || (first..CASES).step_by(threads as usize).flat_map(check_seed).collect::<Vec<_>>();
        let runs: Vec<_> = (0..threads).map(|first| scope.spawn(run(first))).collect();
        for run in runs {
            for kind in run.join().unwrap_or_else(|panic| resume_unwind(panic)) {
                *counts.entry(kind).or_default() += 1;
            }
        }
    });
    // The generator must keep producing every kind of case.
    for kind in [
        "added in place",
        "dropped in place",
        "rebuilt",
        "with rows",
        "stopped by rows",
        "wild rows kept",
        "wild rows refused",
        "trigger",
        "unrelated",
    ] {
        assert!(counts.get(kind).is_some_and(|count| *count >= 5), "{kind}: {counts:?}");
    }
}

/// Runs one case; prints its seed if it fails.
fn check_seed(seed: u64) -> Vec<&'static str> {
    catch_unwind(AssertUnwindSafe(|| check(seed))).unwrap_or_else(|panic| {
        eprintln!("the seed was {seed}");
        resume_unwind(panic)
    })
}

/// Runs one case; returns the kinds of change that it covers.
fn check(seed: u64) -> Vec<&'static str> {
    let mut numbers = Numbers::new(seed);
    let from = RandomSchema::new(&mut numbers);
    let is_related = seed.is_multiple_of(2);
    let to = if is_related { from.changed(&mut numbers) } else { RandomSchema::new(&mut numbers) };
    let (from_sql, to_sql) = (from.sql(), to.sql());
    let read = |sql: &str| Schema::from_sql([("random", sql)]).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let scripts = autogenerate(&read(&from_sql), &read(&to_sql));
    let Some(scripts) = scripts.unwrap_or_else(|error| panic!("{error}\n{from_sql}\n--\n{to_sql}")) else {
        assert_eq!(fingerprint(&database(&from_sql)), fingerprint(&database(&to_sql)));
        return vec!["no difference"];
    };

    let db = database(&from_sql);
    apply(&db, &scripts.up).unwrap_or_else(|error| panic!("{error}\n{}", scripts.up.sql));
    assert_eq!(fingerprint(&db), fingerprint(&database(&to_sql)), "\n{}", scripts.up.sql);
    apply(&db, &scripts.down).unwrap_or_else(|error| panic!("{error}\n{}", scripts.down.sql));
    assert_eq!(fingerprint(&db), fingerprint(&database(&from_sql)), "\n{}", scripts.down.sql);

    let mut kinds = vec![if is_related { "related" } else { "unrelated" }];
    let up = &scripts.up.sql;
    let marks = [
        ("ADD COLUMN", "added in place"),
        ("DROP COLUMN", "dropped in place"),
        ("INSERT OR ABORT INTO new_", "rebuilt"),
    ];
    kinds.extend(marks.iter().filter(|(mark, _)| up.contains(mark)).map(|(_, kind)| *kind));
    kinds.extend(up.contains("CREATE TRIGGER").then_some("trigger"));
    if is_related {
        kinds.extend(check_rows(&from, &to, &scripts.up, &scripts.down));
    }
    for (schema, script) in [(&from, &scripts.up), (&to, &scripts.down)] {
        let db = database(&schema.sql());
        schema.fill_wildly(&db, &mut numbers);
        kinds.push(check_wild_rows(&db, script));
    }
    kinds
}

/// Runs `up` and `down` with rows in every table; returns the outcome.
fn check_rows(from: &RandomSchema, to: &RandomSchema, up: &Script, down: &Script) -> Option<&'static str> {
    let db = database(&from.sql());
    from.fill(&db);
    let (before, ids) = (from.kept_rows(to, &db), from.sequences(to, &db));
    if !up.needs.is_empty() || has_new_generated_columns(up) {
        let (all, print) = (from.kept_rows(from, &db), fingerprint(&db));
        let fault = match apply(&db, up) {
            Ok(()) if up.needs.is_empty() => return None,
            outcome => outcome.expect_err("rows need a decision that nobody has made").to_string(),
        };
        let stops = ["NOT NULL constraint failed", "may have been renamed", "would be replaced by computed values"];
        assert!(stops.iter().any(|stop| fault.contains(stop)), "{fault}\n{}", up.sql);
        assert_eq!((from.kept_rows(from, &db), fingerprint(&db)), (all, print), "nothing is kept");
        return Some("stopped by rows");
    }
    apply(&db, up).unwrap_or_else(|error| panic!("{error}\n{}", up.sql));
    assert_eq!(to.kept_rows(from, &db), before, "\n{}", up.sql);
    assert_eq!(to.sequences(from, &db), ids, "\n{}", up.sql);
    assert_eq!(fingerprint(&db), fingerprint(&database(&to.sql())), "\n{}", up.sql);
    if down.needs.is_empty() && !has_new_generated_columns(down) {
        apply(&db, down).unwrap_or_else(|error| panic!("{error}\n{}", down.sql));
        assert_eq!(from.kept_rows(to, &db), before, "\n{}", down.sql);
    }
    Some("with rows")
}

/// Whether computed values replace stored ones, which fails if they have another type.
fn has_new_generated_columns(script: &Script) -> bool {
    script.sql.contains("Generated from now on")
}

/// Runs a script on rows that it may refuse; returns the outcome.
fn check_wild_rows(db: &Connection, script: &Script) -> &'static str {
    let (before, print) = (Snapshot::of(db), fingerprint(db));
    if let Err(error) = apply(db, script) {
        let fault = error.to_string();
        // Anything else would be a fault of the script.
        let is_about_rows = ["constraint failed", "cannot store", "datatype mismatch", "dangling"];
        assert!(is_about_rows.iter().any(|words| fault.contains(words)), "{fault}\n{}", script.sql);
        assert_eq!((Snapshot::of(db), fingerprint(db)), (before, print), "nothing is kept");
        return "wild rows refused";
    }
    before.assert_kept(&Snapshot::of(db), &script.sql);
    "wild rows kept"
}

fn database(sql: &str) -> Connection {
    let db = Connection::open_in_memory().expect("memory");
    db.pragma_update(None, "foreign_keys", false).expect("a new connection takes settings");
    db.execute_batch(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    db
}

/// Runs a script like the component `migrate`: in one transaction, foreign keys off, and at the end no more dangling
/// references than before.
fn apply(db: &Connection, script: &Script) -> rusqlite::Result<()> {
    for word in ["PRAGMA", "BEGIN;", "COMMIT", "ATTACH"] {
        assert!(!script.sql.contains(word), "{}", script.sql);
    }
    let dangling = || rows(db, "SELECT * FROM pragma_foreign_key_check").len();
    let before = dangling();
    let transaction = db.unchecked_transaction()?;
    transaction.execute_batch(&script.sql)?;
    if dangling() > before {
        return Err(rusqlite::Error::InvalidParameterName("dangling references".to_owned()));
    }
    transaction.commit()
}

pub(crate) fn rows(db: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = db.prepare(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    let width = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..width).map(|index| row.get(index)).collect();
    statement.query_map([], row).and_then(Iterator::collect).unwrap_or_else(|error| panic!("{error}: {sql}"))
}

/// The schema as reported by pragmas, and the text of everything without a pragma.
fn fingerprint(db: &Connection) -> Vec<String> {
    let queries = [
        "SELECT 't', type, name, tbl_name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'",
        "SELECT 'l', name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'",
        "SELECT 'c', m.name, c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, c.hidden
         FROM sqlite_schema m, pragma_table_xinfo(m.name) c WHERE m.name NOT LIKE 'sqlite_%'",
        "SELECT 'i', m.name, l.\"unique\", l.origin, l.partial, group_concat(x.name || x.desc || x.coll),
            CASE l.origin WHEN 'c' THEN l.name END
         FROM sqlite_schema m, pragma_index_list(m.name) l, pragma_index_xinfo(l.name) x WHERE m.type = 'table'
         GROUP BY m.name, l.name",
        "SELECT 'f', m.name, f.seq, f.\"table\", f.\"from\", f.\"to\", f.on_update, f.on_delete
         FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
        "SELECT 's', type, name, sql FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL",
        "SELECT 'k', name, (length(sql) - length(replace(sql, 'CHECK (', ''))) / 7, sql LIKE '%AUTOINCREMENT%'
         FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    ];
    let lines = queries.iter().flat_map(|sql| rows(db, sql)).map(|row| format!("{row:?}"));
    // Quotes and spaces may differ; no generated value contains any.
    let mut lines: Vec<_> = lines.map(|line| line.replace("\\n", "").replace(['"', '[', ']', '\\', ' '], "")).collect();
    lines.sort();
    lines
}
