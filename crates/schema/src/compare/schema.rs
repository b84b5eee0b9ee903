//! A schema as SQLite stores it.

use rusqlite::{Connection, Row};

use super::definition::Definition;
use super::names::{has_keyword, normal, quoted};
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
    /// `None` also for DEFAULT NULL.
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
        let mut schema = Self::default();
        for (kind, name, table, sql) in entries.into_iter().filter(|(_, _, table, _)| is_included(table)) {
            let kind = match kind.as_str() {
                "table" => {
                    schema.tables.push(Table::read(db, name, sql)?);
                    continue;
                }
                "index" => ObjectKind::Index,
                "view" => ObjectKind::View,
                _ => ObjectKind::Trigger,
            };
            schema.objects.push(Object { normal: normal(&tokens(&sql)), kind, name, table, sql });
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
    fn read(db: &Connection, name: String, sql: String) -> Result<Self, Error> {
        if tokens(&sql).get(1).is_some_and(|word| word.is("VIRTUAL")) {
            return Err(Error::Unsupported(format!("the virtual table {name} cannot be compared")));
        }
        let unreadable = || Error::Unsupported(format!("the definition of the table {name} cannot be taken apart"));
        let Definition { columns, constraints, options } = Definition::parse(&sql).ok_or_else(unreadable)?;
        let pragma = "SELECT name, upper(type), \"notnull\", iif(upper(dflt_value) = 'NULL', NULL, dflt_value),
                             hidden <> 0, pk > 0 AND max(pk) OVER () = 1 AND upper(type) = 'INTEGER'
                      FROM pragma_table_xinfo(?1) ORDER BY cid";
        let facts: Vec<(String, String, bool, Option<String>, bool, bool)> = rows(db, pragma, &name)?;
        let names = facts.iter().map(|(name, ..)| name.to_ascii_lowercase());
        if !names.eq(columns.iter().map(|column| column.name.as_str())) {
            return Err(unreadable());
        }
        let has_rowid = !options.iter().any(|option| option == "without rowid");
        let columns = columns.into_iter().zip(facts).map(|(definition, fact)| {
            let (name, type_name, not_null, default, is_generated, is_integer_key) = fact;
            let is_rowid = has_rowid && is_integer_key;
            let (text, normal) = (definition.text, definition.normal);
            Column { name, text, normal, type_name, not_null, default, is_generated, is_rowid }
        });
        Ok(Self { columns: columns.collect(), constraints, options, name, sql })
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
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
