//! The value of a JSON text, kept so that it can be echoed as Python would write it again.

use indexmap::IndexMap;
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use super::number::Number;

/// A JSON value. Serialises compactly, with raw UTF-8 and object members in the order they came.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer of any size or a finite float.
    Number(Number),
    /// A string; never holds half of a surrogate pair.
    String(String),
    /// A list of values.
    Array(Vec<Json>),
    /// Members by name. A repeated name keeps its first place and its last value, as in a Python `dict`.
    Object(IndexMap<String, Json>),
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            // serde has no integers beyond 128 bits; `serde_json` writes a raw value as it is.
            Self::Number(number) => {
                RawValue::from_string(number.as_str().to_owned()).map_err(S::Error::custom)?.serialize(serializer)
            }
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members),
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Json;
    use crate::json::parse;

    #[test]
    fn a_value_is_echoed_compactly_and_in_order() {
        let echo = |text: &str| serde_json::to_string(&parse(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            echo("{ \"b\" : [ 1 , true , null ] , \"a\" : \"\\u00e9\\n\" }"),
            "{\"b\":[1,true,null],\"a\":\"é\\n\"}"
        );
        assert_eq!(echo("{\"a\":1,\"b\":2,\"a\":3}"), "{\"a\":3,\"b\":2}");
        assert_eq!(
            echo("[340282366920938463463374607431768211457, -0, 1e2]"),
            "[340282366920938463463374607431768211457,0,100.0]"
        );
        assert_eq!(echo("[]"), "[]");
        assert_eq!(Json::from("x"), Json::String("x".to_owned()));
    }
}
