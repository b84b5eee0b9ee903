//! From the query and the path of a URL to their values.

use super::error::{FieldError, Location};
use super::field::Field;
use super::parameter::Id;
use super::request::{Part, Request};
use crate::json::Json;

/// Reads what stands behind the question mark (URL Standard, "application/x-www-form-urlencoded parsing").
///
/// Of a name that is there several times the last counts, as in FastAPI. One without a value counts as left out: that is
/// what a form sends for a field that nobody filled in.
pub fn parse_query<T: Request>(query: &str) -> Result<T, Vec<FieldError>> {
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
    let members = pairs.map(|(name, value)| (name.into_owned(), Json::String(value.into_owned())));
    T::from_json(Part::Query, &Json::Object(members.collect()))
}

/// Reads the piece of a path that stands for the id `name`.
pub fn parse_id(name: &'static str, text: &str) -> Result<i64, Vec<FieldError>> {
    let input = Json::from(text);
    let id = Id::parse(&input).map(|id| id.0);
    id.map_err(|fault| vec![fault.at(vec![Part::Path.location(), Location::Name(name)], input)])
}

#[cfg(test)]
mod tests {
    use super::{parse_id, parse_query};
    use crate::validation::{Count, Filter, Flag, Limit, Time};

    crate::request! {
        /// What to show of a list.
        struct ListQuery {
            /// How many.
            limit: Limit,
            /// After how many.
            offset: Count,
            /// Only those with this in their name.
            q: Option<Filter>,
            /// Only those that are open, or those that are not.
            open: Option<Flag>,
            /// Only those from then on.
            since: Option<Time>,
        }
    }

    fn fault(query: &str) -> String {
        parse_query::<ListQuery>(query)
            .map_or_else(|faults| serde_json::to_string(&faults).unwrap(), |_| "none".to_owned())
    }

    #[test]
    fn what_is_left_out_or_empty_has_its_default() {
        for query in ["", "limit=&offset=&q=&open=&since=", "&&other=1"] {
            let query = parse_query::<ListQuery>(query).unwrap();
            assert_eq!((query.limit.0, query.offset.0), (50, 0));
            assert!(query.q.is_none() && query.open.is_none() && query.since.is_none());
        }
    }

    #[test]
    fn values_are_decoded_and_the_last_one_counts() {
        let query = parse_query::<ListQuery>(
            "limit=1&limit=200&offset=7&q=a%2Bb+c%25&open=No&since=2026-01-31T13:00:00%2B01:00",
        );
        let query = query.unwrap();
        assert_eq!((query.limit.0, query.offset.0, query.q.unwrap().0.as_str()), (200, 7, "a+b c%"));
        assert!(query.open.is_some_and(|open| !open.0));
        assert_eq!(query.since.unwrap().0.to_sql(), "2026-01-31 12:00:00.000000");
    }

    #[test]
    fn faults_have_fastapis_words() {
        let integer = "Input should be a valid integer, unable to parse string as an integer";
        let cases = [
            (
                "limit=0",
                r#"{"type":"greater_than_equal","loc":["query","limit"],"msg":"Input should be greater than or equal to 1","input":"0","ctx":{"ge":1}}"#.to_owned(),
            ),
            (
                "limit=201",
                r#"{"type":"less_than_equal","loc":["query","limit"],"msg":"Input should be less than or equal to 200","input":"201","ctx":{"le":200}}"#.to_owned(),
            ),
            (
                "offset=x",
                format!(r#"{{"type":"int_parsing","loc":["query","offset"],"msg":"{integer}","input":"x"}}"#),
            ),
            (
                "open=perhaps",
                r#"{"type":"bool_parsing","loc":["query","open"],"msg":"Input should be a valid boolean, unable to interpret input","input":"perhaps"}"#.to_owned(),
            ),
            (
                "since=yesterday",
                r#"{"type":"datetime_parsing","loc":["query","since"],"msg":"Input should be a valid datetime, such as 2026-01-31T12:00:00Z","input":"yesterday","ctx":{"error":"not a time of RFC 3339"}}"#.to_owned(),
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(fault(query), format!("[{expected}]"));
        }
        assert!(fault(&format!("q={}", "x".repeat(255))).contains("at most 254 characters"));
    }

    #[test]
    fn an_id_is_a_whole_number() {
        assert_eq!([parse_id("id", "7"), parse_id("id", "-1")], [Ok(7), Ok(-1)]);
        assert_eq!(parse_id("id", "99999999999999999999"), Ok(i64::MAX));
        for text in ["", "x", "7.0", "1e3", "0x7", " 7"] {
            let faults = parse_id("id", text).unwrap_err();
            let json = serde_json::to_string(&faults).unwrap();
            assert!(json.contains(r#""type":"int_parsing","loc":["path","id"]"#), "{json}");
        }
    }
}
