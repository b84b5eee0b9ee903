//! Values and rows, and their conversion from and to Rust types.

use crate::Error;

/// A value of one of SQLite's five storage classes.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `NULL`
    Null,
    /// A 64-bit integer; a boolean column holds 0 or 1.
    Integer(i64),
    /// A double.
    Real(f64),
    /// UTF-8 text; a time column holds text, too.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// One row of a result.
#[derive(Debug)]
pub struct Row(Vec<Value>);

impl Row {
    /// Creates a row of `columns`, in the order of the statement.
    #[must_use]
    pub fn new(columns: Vec<Value>) -> Self {
        Self(columns)
    }

    /// Reads the column at `index`, from 0.
    ///
    /// # Errors
    /// [`Error::Column`] if it is missing or not a `T`; there are no defaults.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, Error> {
        let value = self.0.get(index);
        T::from_value(value.ok_or_else(|| Error::Column(format!("no column {index}")))?)
    }
}

/// A Rust type that a column can be read as.
pub trait FromValue: Sized {
    /// Converts `value`.
    ///
    /// # Errors
    /// [`Error::Column`] if it has another type.
    fn from_value(value: &Value) -> Result<Self, Error>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Integer(integer) => Ok(*integer),
            other => Err(unexpected("an integer", other)),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<Self, Error> {
        i64::from_value(value).map(|integer| integer != 0)
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(unexpected("text", other)),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

fn unexpected(wanted: &str, got: &Value) -> Error {
    // The type only: the value could be a password hash, and errors are logged.
    let class = match got {
        Value::Null => "NULL",
        Value::Integer(_) => "an integer",
        Value::Real(_) => "a real",
        Value::Text(_) => "text",
        Value::Blob(_) => "a blob",
    };
    Error::Column(format!("expected {wanted}, got {class}"))
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Integer(flag.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}

/// Defines `to_host` and `from_host`, which convert a [`Value`] to and from the enum `$host` of the same five variants:
/// each set of generated bindings, and rusqlite, has one of its own.
#[macro_export]
macro_rules! host_values {
    ($host:path) => {
        $crate::host_values!(@ $host, Null Integer Real Text Blob);
    };
    (@ $host:path, $null:ident $($class:ident)*) => {
        fn to_host(value: $crate::Value) -> $host {
            use $host as Host;
            match value {
                $crate::Value::$null => Host::$null,
                $($crate::Value::$class(value) => Host::$class(value),)*
            }
        }

        fn from_host(value: $host) -> $crate::Value {
            use $host as Host;
            match value {
                Host::$null => $crate::Value::$null,
                $(Host::$class(value) => $crate::Value::$class(value),)*
            }
        }
    };
}
