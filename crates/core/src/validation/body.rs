//! From the bytes of a request to its struct: what FastAPI does before a handler runs.

use super::error::{Fault, FieldError, Location};
use super::request::{Part, Request};
use crate::json::{self, Json, ParseError};

/// Why a body is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// Not even text, or nested beyond reason: 400 with this very sentence.
    #[error("There was an error parsing the body")]
    Unparseable,
    /// Everything that is wrong with it: 422.
    #[error("the body is not valid")]
    Invalid(Vec<FieldError>),
}

/// Reads a body by its `Content-Type` header.
///
/// As in FastAPI, no content type means JSON; any other than JSON makes the body one string, which is then no object.
pub fn parse_body<T: Request>(content_type: Option<&[u8]>, body: &[u8]) -> Result<T, BodyError> {
    let value = if body.is_empty() {
        Json::Null
    } else if is_json(content_type.unwrap_or_default()) {
        json::parse(body).map_err(not_json)?
    } else {
        std::str::from_utf8(body).map_err(|_| BodyError::Unparseable)?.into()
    };
    T::from_json(Part::Body, &value).map_err(BodyError::Invalid)
}

/// `application/json` or `application/*+json` in any case and with any parameters; none at all counts as JSON too.
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    match essence.strip_prefix(b"application/") {
        Some(subtype) => !subtype.contains(&b'/') && (subtype == b"json" || subtype.ends_with(b"+json")),
        None => content_type.trim_ascii().is_empty(),
    }
}

fn not_json(error: ParseError) -> BodyError {
    match error {
        ParseError::Unreadable => BodyError::Unparseable,
        ParseError::Syntax(fault) => {
            let loc = vec![Location::Name("body"), Location::Character(fault.position)];
            // FastAPI shows an empty object in place of a body that it could not read.
            BodyError::Invalid(vec![Fault::NotJson(fault.message).at(loc, Json::Object(Default::default()))])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BodyError, is_json, parse_body};
    use crate::requests::{LoginRequest, RefreshRequest};

    #[test]
    fn content_types_count_as_json_by_fastapis_rule() {
        let json = [
            "",
            " ",
            "application/json",
            "Application/JSON ; charset=x",
            "application/ld+json;a=b",
            "application/+json",
        ];
        let other =
            ["text/plain", "application/jsonx", "application/x-json", "text/json", "application/a/json", ";", "json"];
        for content_type in json {
            assert!(is_json(content_type.as_bytes()), "{content_type:?}");
        }
        for content_type in other {
            assert!(!is_json(content_type.as_bytes()), "{content_type:?}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_is_one_fault() {
        let missing = r#"{"type":"missing","loc":["body"],"msg":"Field required","input":null}"#;
        let not_an_object = |input: &str| {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            format!(r#"{{"type":"model_attributes_type","loc":["body"],"msg":"{msg}","input":{input}}}"#)
        };
        let not_json = r#"{"type":"json_invalid","loc":["body",2],"msg":"JSON decode error","input":{},"ctx":{"error":"Extra data"}}"#;
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
            match parse_body::<RefreshRequest>(Some(content_type.as_bytes()), body.as_bytes()) {
                Err(BodyError::Invalid(found)) => {
                    assert_eq!(serde_json::to_string(&found).unwrap(), format!("[{fault}]"))
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_text_cannot_be_parsed() {
        let cases: [(&str, &[u8]); 4] =
            [("application/json", b"\"\xFF\""), ("", b"\0\"\0\"\0"), ("text/plain", b"\xFF"), ("", &[b'['; 5000])];
        for (content_type, body) in cases {
            let refused = parse_body::<RefreshRequest>(Some(content_type.as_bytes()), body).err();
            assert_eq!(refused, Some(BodyError::Unparseable), "{content_type} {body:?}");
        }
    }

    #[test]
    fn a_valid_body_becomes_its_request() {
        let body = br#"{"email": "Ann <ANN@Lanterne.org>", "password": " ", "extra": 1}"#;
        let request: LoginRequest = parse_body(None, body).unwrap();
        assert_eq!((request.email.as_str(), request.password.expose()), ("ANN@lanterne.org", " "));
    }
}
