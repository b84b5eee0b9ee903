//! Values on their way between SQLite and guests.

use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::bindings::spin::sqlite::sqlite::Value;

/// The most that one value, and the rows of one statement, may hold: all of them are in memory at once.
pub(crate) const RESULT_SIZE_MAX: usize = 32 << 20;

/// Copies a value for the guest, unless it is too much together with the `size` of those before it, and adds its own.
pub(crate) fn for_guest(value: ValueRef<'_>, column: &str, size: &mut usize) -> rusqlite::Result<Value> {
    *size += size_of::<Value>();
    if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = value {
        *size += bytes.len();
    }
    if *size > RESULT_SIZE_MAX {
        return Err(refused(format!("query result exceeds limit of {RESULT_SIZE_MAX} bytes")));
    }
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes);
            let text = text.map_err(|_| refused(format!("the text in column {column} is not UTF-8")))?;
            Value::Text(text.to_owned())
        }
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}

fn refused(reason: String) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(reason.into())
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
