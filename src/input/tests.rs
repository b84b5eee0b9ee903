use serde_json::{Value, json};
use utoipa::{PartialSchema as _, ToSchema as _};

use lanterne_core::email::Email;
use lanterne_core::secret::NewPassword;

use super::fault::{Fault, Location};
use super::redaction::{redact, redact_field};
use super::{
    FieldError, FieldRule, Flag, Limit, Offset, Part, Password, Request, Search, Time, Token, parse_body, parse_id,
    parse_query, request,
};
use crate::error::Error;

request! {
    /// Credentials.
    struct Credentials {
        /// The address.
        email: Email,
        /// The password.
        password: Password,
    }
}

request! {
    /// A token.
    struct Refresh {
        /// The token.
        refresh_token: Token,
    }
}

#[track_caller]
fn faults<T>(result: Result<T, Error>) -> Vec<FieldError> {
    match result {
        Err(Error::Invalid(faults) | Error::WrongContentType(faults)) => faults,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn a_body_that_is_not_an_object_is_one_fault() {
    let missing = r#"{"type":"missing","loc":["body"],"msg":"Field required","input":null}"#;
    let not_an_object = |input: &str| {
        let msg = "Input should be a valid dictionary or object to extract fields from";
        format!(r#"{{"type":"model_attributes_type","loc":["body"],"msg":"{msg}","input":{input}}}"#)
    };
    let not_json = r#"{"type":"json_invalid","loc":["body",2],"msg":"JSON decode error","input":{},"ctx":{"error":"trailing characters"}}"#;
    let cases = [
        ("", "", missing.to_owned()),
        ("text/plain", "", missing.to_owned()),
        ("", " null ", missing.to_owned()),
        ("", "[0.0]", not_an_object("[0.0]")),
        ("text/plain", "{}", not_an_object("\"{}\"")),
        ("text/plain", "refresh_token=eyJhbGci", not_an_object("\"**********\"")),
        ("application/json", "{},", not_json.to_owned()),
    ];
    for (content_type, body, fault) in cases {
        let found = faults(parse_body::<Refresh>(Some(content_type.as_bytes()), body.as_bytes()));
        assert_eq!(serde_json::to_string(&found).unwrap(), format!("[{fault}]"));
    }
}

#[test]
fn only_a_body_of_another_type_than_json_is_of_a_wrong_type() {
    for (content_type, body, is_wrong) in [
        (Some("application/x-www-form-urlencoded"), "refresh_token=x", true),
        (Some("text/plain"), "{}", true),
        (Some("text/plain"), "", false),
        (Some("application/json"), "[]", false),
        (Some(" "), "[]", false),
        (None, "[]", false),
    ] {
        let result = parse_body::<Refresh>(content_type.map(str::as_bytes), body.as_bytes());
        assert_eq!(matches!(result, Err(Error::WrongContentType(_))), is_wrong, "{content_type:?} {body:?}");
    }
}

#[test]
fn a_syntax_error_tells_that_no_content_type_means_json() {
    let found = faults(parse_body::<Refresh>(None, b"refresh_token=x"));
    let ctx = serde_json::to_value(&found[0].ctx).unwrap();
    assert_eq!(ctx["error"], "expected value (without a Content-Type, a body is read as JSON)");
}

#[test]
fn a_body_that_is_not_utf8_or_too_deep_is_unreadable() {
    let cases: [(&str, &[u8]); 3] = [("application/json", b"\"\xFF\""), ("text/plain", b"\xFF"), ("", &[b'['; 5000])];
    for (content_type, body) in cases {
        let result = parse_body::<Refresh>(Some(content_type.as_bytes()), body);
        assert!(matches!(result, Err(Error::UnreadableBody)), "{content_type} {body:?}");
    }
}

#[test]
fn a_valid_body_is_parsed() {
    let body = br#"{"email": "Ann <ANN@Lanterne.org>", "password": " ", "extra": 1}"#;
    let request: Credentials = parse_body(None, body).unwrap();
    assert_eq!((request.email.as_str(), request.password.0.expose()), ("ANN@lanterne.org", " "));
}

#[test]
fn a_byte_order_mark_is_ignored() {
    let request: Refresh = parse_body(None, "\u{FEFF}{\"refresh_token\": \"x\"}".as_bytes()).unwrap();
    assert_eq!(request.refresh_token.0.expose(), "x");
}

#[test]
fn numbers_are_echoed_as_sent_within_64_bits() {
    let body = br#"{"refresh_token": [-7, 0, 1.5, 1234567]}"#;
    assert_eq!(faults(parse_body::<Refresh>(None, body))[0].input.to_string(), "[-7,0,1.5,1234567]");
}

request! {
    /// A change of one's own account.
    /// All of it is optional but the password.
    struct ChangeRequest {
        /// The address from now on.
        email: Option<Email>,
        /// Whether to write letters.
        letters: Option<bool>,
        /// To be sure who it is.
        password: Password,
    }
}

fn change(body: &str) -> Result<ChangeRequest, String> {
    let body: Value = serde_json::from_str(body).unwrap();
    ChangeRequest::from_value(Part::Body, &body).map_err(|faults| serde_json::to_string(&faults).unwrap())
}

#[test]
fn optional_fields_may_be_left_out_or_null() {
    let request = change(r#"{"password": "x", "letters": null, "more": []}"#).unwrap();
    assert!(request.email.is_none() && request.letters.is_none());
    assert_eq!(request.password.0.expose(), "x");
    assert!(change(r#"{"password": "x", "letters": true, "email": "ann@lanterne.org"}"#).is_ok());
}

#[test]
fn all_faults_are_reported_in_the_order_of_the_fields() {
    let expected = [
        r#"{"type":"string_type","loc":["body","email"],"msg":"Input should be a valid string","input":7}"#,
        r#"{"type":"bool_type","loc":["body","letters"],"msg":"Input should be a valid boolean","input":"yes"}"#,
        r#"{"type":"missing","loc":["body","password"],"msg":"Field required","input":{"letters":"yes","email":7}}"#,
    ];
    assert_eq!(change(r#"{"letters": "yes", "email": 7}"#).err(), Some(format!("[{}]", expected.join(","))));
}

#[test]
fn the_schema_states_the_same_rules() {
    let schema = serde_json::to_value(ChangeRequest::schema()).unwrap();
    assert_eq!(ChangeRequest::name(), "ChangeRequest");
    assert_eq!(schema["required"], json!(["password"]));
    assert_eq!(schema["description"], "A change of one's own account.\nAll of it is optional but the password.");
    assert_eq!(schema["properties"]["email"]["type"], json!(["string", "null"]));
    assert_eq!(schema["properties"]["email"]["format"], "email");
    assert_eq!(schema["properties"]["letters"]["description"], "Whether to write letters.");
}

#[test]
fn the_length_of_a_new_password_is_in_the_schema() {
    let schema = serde_json::to_value(<NewPassword as super::Field>::schema()).unwrap();
    assert_eq!((&schema["minLength"], &schema["maxLength"]), (&json!(8), &json!(100)));
    let schema = serde_json::to_value(<Password as super::Field>::schema()).unwrap();
    assert_eq!((&schema["minLength"], &schema["type"]), (&json!(null), &json!("string")));
}

request! {
    /// What to show of a list.
    struct ListQuery {
        /// How many.
        limit: Limit,
        /// After how many.
        offset: Offset,
        /// Only those with this in their name.
        q: Option<Search>,
        /// Only those that are open, or those that are not.
        open: Option<Flag>,
        /// Only those from then on.
        since: Option<Time>,
    }
}

fn query_faults(query: &str) -> String {
    serde_json::to_string(&faults(parse_query::<ListQuery>(query))).unwrap()
}

#[test]
fn a_parameter_left_out_or_empty_has_its_default() {
    for query in ["", "limit=&offset=&q=&open=&since=", "&&other=1"] {
        let query = parse_query::<ListQuery>(query).unwrap();
        assert_eq!((query.limit.0, query.offset.0), (50, 0));
        assert!(query.q.is_none() && query.open.is_none() && query.since.is_none());
    }
}

#[test]
fn values_are_decoded_and_the_last_one_counts() {
    let query =
        parse_query::<ListQuery>("limit=1&limit=200&offset=7&q=a%2Bb+c%25&open=No&since=2026-01-31T13:00:00%2B01:00");
    let query = query.unwrap();
    assert_eq!((query.limit.0, query.offset.0, query.q.unwrap().0.as_str()), (200, 7, "a+b c%"));
    assert!(query.open.is_some_and(|open| !open.0));
    assert_eq!(query.since.unwrap().0.to_sql(), "2026-01-31 12:00:00.000000");
}

#[test]
fn parameter_faults_have_the_wording_of_fastapi() {
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
        assert_eq!(query_faults(query), format!("[{expected}]"));
    }
    assert!(query_faults(&format!("q={}", "x".repeat(255))).contains("at most 254 characters"));
}

#[test]
fn an_id_is_an_integer() {
    let id = |text| parse_id("id", text).unwrap();
    assert_eq!(["7", "-1", "99999999999999999999"].map(id), [7, -1, i64::MAX]);
    for text in ["", "x", "7.0", "1e3", "0x7", " 7"] {
        let json = serde_json::to_string(&faults(parse_id("id", text))).unwrap();
        assert!(json.contains(r#""type":"int_parsing","loc":["path","id"]"#), "{json}");
    }
}

const RULES: [FieldRule; 2] =
    [FieldRule { name: "email", secret: false }, FieldRule { name: "refresh_token", secret: true }];

#[test]
fn a_body_is_shown_without_its_secrets() {
    let cases = [
        (r#"{"email":"someone@example.org"}"#, r#"{"email":"someone@example.org"}"#),
        (r#"{"refresh_token":"x"}"#, r#"{"refresh_token":"**********"}"#),
        (r#"{"REFRESH_TOKEN":"x"}"#, r#"{"REFRESH_TOKEN":"**********"}"#),
        (r#"{"refreshToken":"x"}"#, r#"{"refreshToken":"x"}"#),
        (r#"{"refreshToken":"eyJhbGci"}"#, r#"{"refreshToken":"**********"}"#),
        (r#"[{"user":{"pin":12345678,"tan":1234}}]"#, r#"[{"user":{"pin":"**********","tan":1234}}]"#),
        (r#""eyJhbGci""#, r#""**********""#),
        (r#""email=a&refresh_token=x""#, r#""email=a&refresh_token=x""#),
        (r#""{\"Refresh_Token\": \"x\"}""#, r#""{\"Refresh_Token\": \"x\"}""#),
        (r#""refresh_token=eyJhbGci""#, r#""**********""#),
    ];
    for (body, shown) in cases {
        let value = redact(&serde_json::from_str(body).unwrap(), &RULES);
        assert_eq!(serde_json::to_string(&value).unwrap(), shown);
    }
}

#[test]
fn a_value_of_the_wrong_type_is_shown_unless_it_may_hold_a_secret() {
    let cases = [
        ("1", "1", "1"),
        ("null", "null", "null"),
        (r#"["x"]"#, r#"["x"]"#, r#"["x"]"#),
        ("123456789", "123456789", r#""**********""#),
        ("100000000000000000000000", "1e+23", r#""**********""#),
        (r#"["correct horse"]"#, r#"["correct horse"]"#, r#"["**********"]"#),
        (r#""abc""#, r#""abc""#, r#""**********""#),
    ];
    for (value, plain, secret) in cases {
        let value = serde_json::from_str(value).unwrap();
        let shown = |rule| serde_json::to_string(&redact_field(&value, rule, &RULES)).unwrap();
        assert_eq!((shown(&RULES[0]).as_str(), shown(&RULES[1]).as_str()), (plain, secret));
    }
}

#[test]
fn a_fault_has_the_format_of_fastapi() {
    let written = |fault: Fault| {
        let loc = vec![Location::Name("body"), Location::Name("age"), Location::Character(3)];
        serde_json::to_string(&fault.at(loc, Value::Null)).unwrap()
    };
    assert_eq!(
        written(Fault::Missing),
        r#"{"type":"missing","loc":["body","age",3],"msg":"Field required","input":null}"#
    );
    let contexts = [
        (Fault::TooShort(2), r#""ctx":{"min_length":2}"#),
        (Fault::TooLong(9), r#""ctx":{"max_length":9}"#),
        (Fault::NotAnEmail("No.".to_owned()), r#""ctx":{"reason":"No."}"#),
        (Fault::NotJson("Extra data".to_owned()), r#""ctx":{"error":"Extra data"}"#),
        (Fault::TooSmall(1), r#""ctx":{"ge":1}"#),
        (Fault::TooLarge(200), r#""ctx":{"le":200}"#),
    ];
    for (fault, context) in contexts {
        assert!(written(fault.clone()).ends_with(&format!("{context}}}")), "{fault:?}");
    }
}
