//! A schema as SQLite stores it.

use std::collections::HashSet;

use rusqlite::{Connection, Row};

use super::definition::Definition;
use super::names::{default_expression, has_keyword, normal, quoted};
use crate::error::Error;
use crate::lexer::tokens;

/// The table that the component `migrate` keeps and no migration creates.
const VERSION_TABLE: &str = "schema_migrations";

/// Everything that SQL has created in a database, in order of creation.
#[derive(Default)]
pub struct Schema {
    pub(crate) tables: Vec<Table>,
    /// Indexes, views and triggers.
    pub(crate) objects: Vec<Object>,
}

pub(crate) struct Table {
    pub(crate) name: String,
    /// The CREATE TABLE.
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
    /// Normalized and sorted.
    pub(crate) constraints: Vec<String>,
    /// Normalized and sorted.
    pub(crate) options: Vec<String>,
}

pub(crate) struct Column {
    pub(crate) name: String,
    /// Its definition in the CREATE TABLE.
    pub(crate) text: String,
    pub(crate) normal: String,
    /// The declared type, in upper case.
    pub(crate) type_name: String,
    pub(crate) not_null: bool,
    /// An expression; `None` also for DEFAULT NULL.
    pub(crate) default: Option<String>,
    pub(crate) is_generated: bool,
    /// Whether it is an alias of the rowid, which SQLite fills in and which is never NULL.
    pub(crate) is_rowid: bool,
}

/// The kinds of objects beside tables, in the order in which they must be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ObjectKind {
    Index,
    View,
    Trigger,
}

impl ObjectKind {
    /// The keyword after CREATE and DROP.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Self::Index => "INDEX",
            Self::View => "VIEW",
            Self::Trigger => "TRIGGER",
        }
    }
}

pub(crate) struct Object {
    pub(crate) kind: ObjectKind,
    pub(crate) name: String,
    /// The table it belongs to; for a view, its own name.
    pub(crate) table: String,
    /// The CREATE statement.
    pub(crate) sql: String,
    pub(crate) normal: String,
}

impl Object {
    pub(crate) fn is_unique_index(&self) -> bool {
        self.normal.starts_with("create unique ")
    }
}

impl Schema {
    /// Runs texts of SQL in order and returns the resulting schema. Each comes with the name that errors give it.
    ///
    /// # Errors
    /// SQLite refuses one of them, or they create something that cannot be compared.
    pub fn from_sql<S: AsRef<str>>(texts: impl IntoIterator<Item = (S, S)>) -> Result<Self, Error> {
        Self::read(&database(texts)?, |_| true)
    }

    /// Reads the schema of `db`, limited to the tables whose names `is_included` accepts, without `schema_migrations`.
    pub(crate) fn read(db: &Connection, is_included: impl Fn(&str) -> bool) -> Result<Self, Error> {
        // What SQLite creates for itself has no text or a reserved name.
        let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema
                   WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND lower(tbl_name) <> ?1
                   ORDER BY rowid";
        let entries: Vec<(String, String, String, String)> = rows(db, sql, VERSION_TABLE)?;
        let names = names(db)?;
        let mut schema = Self::default();
        for (kind, name, table, sql) in entries.into_iter().filter(|(_, _, table, _)| is_included(table)) {
            let kind = match kind.as_str() {
                "table" => {
                    schema.tables.push(Table::read(db, name, sql, &names)?);
                    continue;
                }
                "index" => ObjectKind::Index,
                "view" => ObjectKind::View,
                _ => ObjectKind::Trigger,
            };
            schema.objects.push(Object { normal: normal(&tokens(&sql), &names), kind, name, table, sql });
        }
        schema.objects.sort_by_key(|object| object.kind);
        Ok(schema)
    }

    /// Creates a database in memory with this schema.
    pub(crate) fn to_database(&self) -> Result<Connection, Error> {
        let texts = self.tables.iter().map(|table| &table.sql).chain(self.objects.iter().map(|object| &object.sql));
        database(texts.map(|sql| ("the schema", sql.as_str())))
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// Whether a table or another object has this name.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.table(name).is_some() || self.objects.iter().any(|object| object.name.eq_ignore_ascii_case(name))
    }
}

impl Table {
    fn read(db: &Connection, name: String, sql: String, names: &HashSet<String>) -> Result<Self, Error> {
        if tokens(&sql).get(1).is_some_and(|word| word.is("VIRTUAL")) {
            return Err(Error::Unsupported(format!("the virtual table {name} cannot be compared")));
        }
        let unreadable = || Error::Unsupported(format!("the definition of the table {name} cannot be taken apart"));
        let Definition { columns, constraints, options } = Definition::parse(&sql, names).ok_or_else(unreadable)?;
        let pragma = "SELECT name, upper(type), \"notnull\", iif(upper(dflt_value) = 'NULL', NULL, dflt_value),
                             hidden <> 0,
                             -- Every other key has an index.
                             pk > 0 AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')
                      FROM pragma_table_xinfo(?1) ORDER BY cid";
        let facts: Vec<(String, String, bool, Option<String>, bool, bool)> = rows(db, pragma, &name)?;
        let names = facts.iter().map(|(name, ..)| name.to_ascii_lowercase());
        if !names.eq(columns.iter().map(|column| column.name.as_str())) {
            return Err(unreadable());
        }
        let columns = columns.into_iter().zip(facts).map(|(definition, fact)| {
            let (name, type_name, not_null, default, is_generated, is_rowid) = fact;
            let default = default.as_deref().map(default_expression);
            let (text, normal) = (definition.text, definition.normal);
            Column { name, text, normal, type_name, not_null, default, is_generated, is_rowid }
        });
        Ok(Self { columns: columns.collect(), constraints, options, name, sql })
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.options.iter().any(|option| option == "strict")
    }

    pub(crate) fn has_autoincrement(&self) -> bool {
        has_keyword(&self.sql, &["AUTOINCREMENT"])
    }

    /// Returns a text that is equal for all definitions with the same meaning.
    pub(crate) fn normal(&self) -> String {
        let columns = self.columns.iter().map(|column| column.normal.as_str());
        let parts: Vec<_> = columns.chain(self.constraints.iter().map(String::as_str)).collect();
        let name = quoted(&self.name.to_ascii_lowercase());
        format!("create table {name} ( {} ) {}", parts.join(" , "), self.options.join(" , "))
    }
}

/// Returns `name`, or that with a number, so that neither schema uses it.
pub(crate) fn free_name(name: &str, one: &Schema, other: &Schema) -> String {
    let numbered = (2..1000).map(|number| format!("{name}_{number}"));
    let is_free = |name: &String| !one.has_name(name) && !other.has_name(name);
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_else(|| name.to_owned())
}

/// Creates a database in memory, without enforcing foreign keys, as the component `migrate` does; runs the texts in it.
fn database<S: AsRef<str>>(texts: impl IntoIterator<Item = (S, S)>) -> Result<Connection, Error> {
    let db = Connection::open_in_memory().and_then(|db| {
        db.pragma_update(None, "foreign_keys", false)?;
        Ok(db)
    });
    let db = db.map_err(|error| sql_error("a database in memory", "", error))?;
    for (origin, text) in texts {
        let (origin, text) = (origin.as_ref(), text.as_ref());
        db.execute_batch(text).map_err(|error| sql_error(origin, text, error))?;
    }
    Ok(db)
}

/// Returns the names of everything in the schema and of all columns, in lower case.
fn names(db: &Connection) -> Result<HashSet<String>, Error> {
    // Only a table always has columns: a view may refer to a missing table, a virtual one to a missing module.
    let sql = "SELECT lower(name) FROM sqlite_schema
               UNION SELECT lower(c.name) FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c
               WHERE t.type = 'table' AND t.sql NOT LIKE 'create virtual %' AND lower(t.name) <> ?1";
    let names: Vec<(String,)> = rows(db, sql, VERSION_TABLE)?;
    Ok(names.into_iter().map(|(name,)| name).collect())
}

/// Runs a query with one parameter.
fn rows<T>(db: &Connection, sql: &str, parameter: &str) -> Result<Vec<T>, Error>
where
    T: for<'r> TryFrom<&'r Row<'r>, Error = rusqlite::Error>,
{
    let read =
        || db.prepare(sql)?.query_map([parameter], |row| T::try_from(row))?.collect::<rusqlite::Result<Vec<_>>>();
    read().map_err(|error| sql_error("the schema", "", error))
}

/// Locates an error of SQLite in `text`, which comes from the file `origin`.
pub(crate) fn sql_error(origin: &str, text: &str, error: rusqlite::Error) -> Error {
    let (line, message) = match error {
        rusqlite::Error::SqlInputError { msg, sql, offset, .. } => {
            // `sql` is the rest of the text from the failed statement on.
            let before = text.len().saturating_sub(sql.len()) + usize::try_from(offset).unwrap_or(0);
            let before = text.get(..before).filter(|_| text.ends_with(&sql));
            (before.map(|before| before.matches('\n').count() + 1), msg)
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => (None, message),
        error => (None, error.to_string()),
    };
    Error::Sql { origin: origin.to_owned(), line, message }
}
