//! A schema as SQLite has it.

use rusqlite::Connection;

use super::definition::Definition;
use super::names;
use crate::error::Error;
use crate::tokens::{normal, tokens};

/// The table of the component `migrate`, which no migration makes.
const BOOKKEEPING: &str = "schema_migrations";

/// Everything that SQL has built in a database, in the order in which it was built.
#[derive(Default)]
pub struct Schema {
    pub(crate) tables: Vec<Table>,
    /// Indexes, views and triggers.
    pub(crate) objects: Vec<Object>,
}

/// A table.
pub(crate) struct Table {
    pub(crate) name: String,
    /// Its CREATE TABLE.
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
    /// Normalised, in an order of their own.
    pub(crate) constraints: Vec<String>,
    /// Normalised, in an order of their own.
    pub(crate) options: Vec<String>,
}

/// A column.
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its part of the CREATE TABLE.
    pub(crate) text: String,
    /// Its part of the CREATE TABLE, normalised.
    pub(crate) normal: String,
    /// The declared type, in upper case.
    pub(crate) type_name: String,
    pub(crate) not_null: bool,
    /// The default, unless there is none or it is NULL.
    pub(crate) default: Option<String>,
    pub(crate) is_generated: bool,
    /// Another name for the rowid, which SQLite fills in and which is never NULL.
    pub(crate) is_rowid: bool,
}

/// What stands beside the tables, in the order in which it must be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Index,
    View,
    Trigger,
}

impl Kind {
    /// The word after CREATE and DROP.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Self::Index => "INDEX",
            Self::View => "VIEW",
            Self::Trigger => "TRIGGER",
        }
    }
}

/// An index, a view or a trigger.
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// The table it belongs to; of a view, the view.
    pub(crate) table: String,
    /// Its CREATE statement.
    pub(crate) sql: String,
    /// Its CREATE statement, normalised.
    pub(crate) normal: String,
}

impl Schema {
    /// What the texts build, one after the other. Each has the name that a fault in it is reported with.
    ///
    /// # Errors
    /// SQLite refuses one of them, or they make something that is not compared.
    pub fn from_sql<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let db = memory()?;
        for (origin, text) in texts {
            db.execute_batch(text).map_err(|error| Error::sql(origin, text, error))?;
        }
        Self::read(&db)
    }

    /// What `db` has, but the table that the component `migrate` keeps.
    ///
    /// # Errors
    /// There is something in it that is not compared.
    pub fn read(db: &Connection) -> Result<Self, Error> {
        Self::read_some(db, |_| true)
    }

    /// As [`Schema::read`], but of the tables that `is_wanted` names alone.
    pub(crate) fn read_some(db: &Connection, is_wanted: impl Fn(&str) -> bool) -> Result<Self, Error> {
        let mut schema = Self::default();
        let entries = entries(db).map_err(|error| Error::sql("the schema", "", error))?;
        for (kind, name, table, sql) in entries.into_iter().filter(|(_, _, table, _)| is_wanted(table)) {
            let kind = match kind.as_str() {
                "table" => {
                    schema.tables.push(Table::read(db, name, sql)?);
                    continue;
                }
                "index" => Kind::Index,
                "view" => Kind::View,
                _ => Kind::Trigger,
            };
            schema.objects.push(Object { normal: normal(&tokens(&sql)), kind, name, table, sql });
        }
        schema.objects.sort_by_key(|object| object.kind);
        Ok(schema)
    }

    /// A database in memory with this schema.
    pub(crate) fn build(&self) -> Result<Connection, Error> {
        let db = memory()?;
        let texts = self.tables.iter().map(|table| &table.sql).chain(self.objects.iter().map(|object| &object.sql));
        for sql in texts {
            db.execute_batch(sql).map_err(|error| Error::sql("the schema", sql, error))?;
        }
        Ok(db)
    }

    /// The table of this name.
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// Whether something in it is called so.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.table(name).is_some() || self.objects.iter().any(|object| object.name.eq_ignore_ascii_case(name))
    }

    /// The first thing that is in one and not in the other; `None` if they are the same.
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        let (ours, theirs) = (self.inventory(), other.inventory());
        let only_in = |these: &[String], those: &[String]| these.iter().find(|line| !those.contains(line)).cloned();
        only_in(&ours, &theirs).or_else(|| only_in(&theirs, &ours))
    }

    /// Everything in it, normalised and in order: two schemas are the same if these are.
    fn inventory(&self) -> Vec<String> {
        let tables = self.tables.iter().map(Table::normal);
        let objects = self.objects.iter().map(|object| object.normal.clone());
        let mut lines: Vec<_> = tables.chain(objects).collect();
        lines.sort();
        lines
    }
}

fn memory() -> Result<Connection, Error> {
    let open = || {
        let db = Connection::open_in_memory()?;
        // As in the component `migrate`.
        db.pragma_update(None, "foreign_keys", false)?;
        Ok(db)
    };
    open().map_err(|error| Error::sql("a database in memory", "", error))
}

/// Type, name, table and text of what somebody has created; what SQLite makes for itself has no text or a reserved name.
fn entries(db: &Connection) -> rusqlite::Result<Vec<(String, String, String, String)>> {
    let mut statement = db.prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND lower(tbl_name) <> ?1 ORDER BY rowid",
    )?;
    let rows = statement.query_map([BOOKKEEPING], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}

impl Table {
    fn read(db: &Connection, name: String, sql: String) -> Result<Self, Error> {
        let words = tokens(&sql);
        if words.get(1).is_some_and(|word| word.is("VIRTUAL")) {
            return Err(Error::Unsupported(format!("the virtual table {name} cannot be compared")));
        }
        let unreadable = || Error::Unsupported(format!("the definition of the table {name} cannot be taken apart"));
        let definition = Definition::of(&sql).ok_or_else(unreadable)?;
        let facts = facts(db, &name).map_err(|error| Error::sql("the schema", "", error))?;
        let names = definition.columns.iter().map(|item| &item.name);
        if !names.eq(facts.iter().map(|fact| &fact.lower_name)) {
            return Err(unreadable());
        }
        let has_rowid = !definition.options.iter().any(|option| option == "without rowid");
        let has_one_key = facts.iter().filter(|fact| fact.key > 0).count() == 1;
        let column = |(item, fact): (super::definition::Item, Fact)| Column {
            is_rowid: has_rowid && has_one_key && fact.key > 0 && fact.type_name == "INTEGER",
            name: fact.name,
            text: item.text,
            normal: item.normal,
            type_name: fact.type_name,
            not_null: fact.not_null,
            default: fact.default.filter(|default| !default.eq_ignore_ascii_case("null")),
            is_generated: fact.hidden != 0,
        };
        let columns = definition.columns.into_iter().zip(facts).map(column).collect();
        Ok(Self { columns, constraints: definition.constraints, options: definition.options, name, sql })
    }

    /// The column of this name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Whether ids that were given out once are never given out again.
    pub(crate) fn has_autoincrement(&self) -> bool {
        super::definition::has_keyword(&self.sql, &["AUTOINCREMENT"])
    }

    /// A text that is the same for all definitions that mean the same.
    pub(crate) fn normal(&self) -> String {
        let columns = self.columns.iter().map(|column| column.normal.clone());
        let parts: Vec<_> = columns.chain(self.constraints.iter().cloned()).collect();
        let name = names::quoted(&self.name.to_ascii_lowercase());
        format!("create table {name} ( {} ) {}", parts.join(" , "), self.options.join(" , "))
    }
}

/// What a pragma says of a column.
struct Fact {
    name: String,
    lower_name: String,
    type_name: String,
    not_null: bool,
    default: Option<String>,
    key: i64,
    hidden: i64,
}

fn facts(db: &Connection, table: &str) -> rusqlite::Result<Vec<Fact>> {
    let mut statement =
        db.prepare("SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let fact = |row: &rusqlite::Row<'_>| {
        let (name, type_name): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Fact {
            lower_name: name.to_ascii_lowercase(),
            name,
            type_name: type_name.to_ascii_uppercase(),
            not_null: row.get(2)?,
            default: row.get(3)?,
            key: row.get(4)?,
            hidden: row.get(5)?,
        })
    };
    statement.query_map([table], fact)?.collect()
}
