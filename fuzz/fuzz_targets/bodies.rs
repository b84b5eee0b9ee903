//! Bodies: every documented operation with a body answers any body, as documented, and repeats no secret.
//!
//! In an input `{secret}` stands for a secret, `{password}` for the password of the account, and `{refresh}` for a refresh
//! token.
#![no_main]

use lanterne_core::email::Email;
use lanterne_fuzz::server::{Checked, Operation, PASSWORD, Server};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// A text that occurs in no reply unless the reply repeats the request.
const SECRET: &str = "Tr0ub4dor&3-plugh-xyzzy";

thread_local! {
    static SERVER: Server = Server::start(&[]);
    static OPERATIONS: Vec<Operation> =
        SERVER.with(|server| server.operations(|about| about["requestBody"].is_object()));
}

fuzz_target!(|body: &[u8]| SERVER.with(|server| {
    let body = match std::str::from_utf8(body) {
        Ok(text) => {
            let text = text.replace("{secret}", SECRET).replace("{password}", PASSWORD);
            text.replace("{refresh}", server.refresh_token()).into_bytes()
        }
        Err(_) => body.to_vec(),
    };
    server.reset();
    OPERATIONS.with(|operations| {
        assert!(operations.len() >= 8, "operations with a body are missing");
        for operation in operations {
            let reply = server.call(operation, "", &body).expect("no query");
            check(server, operation, &body, &reply);
            if reply.status < 300 {
                server.reset();
            }
        }
    });
}));

fn check(server: &Server, operation: &Operation, body: &[u8], reply: &Checked) {
    let schema = server.target(
        operation.description["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().expect("a type"),
    );
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let context = || format!("{} {} {text}", operation.method, operation.path);
    match reply.status {
        200..300 => check_accepted(server, schema, &value, &reply.json, &context()),
        422 => {
            for fault in reply.json["detail"].as_array().expect("faults") {
                let loc = fault["loc"].as_array().expect("a location");
                let is_field =
                    |step: &Value| step.is_u64() || !schema["properties"][step.as_str().unwrap_or("?")].is_null();
                assert!(loc[0] == "body" && loc.len() <= 2 && loc[1..].iter().all(is_field), "{}", context());
            }
        }
        _ => {}
    }
    let reply = String::from_utf8_lossy(&reply.body);
    assert!(may_be_repeated(schema, &value) || !reply.contains(SECRET), "{}: {reply}", context());
}

/// Checks that an accepted body is as documented, and that the reply has the address in its normal form.
fn check_accepted(server: &Server, schema: &Value, body: &Value, reply: &Value, context: &str) {
    let members = body.as_object().unwrap_or_else(|| panic!("{context}"));
    let documented = members.iter().filter(|(name, _)| !schema["properties"][name.as_str()].is_null());
    let documented: Map<String, Value> = documented.map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in &documented {
        let length = value.as_str().map(|text| text.chars().count() as u64);
        let property = &schema["properties"][name.as_str()];
        let is_short = property["minLength"].as_u64().is_some_and(|least| length < Some(least));
        let is_long = property["maxLength"].as_u64().is_some_and(|most| length > Some(most));
        assert!(!is_short && !is_long, "{context}: {name}");
    }
    if let (Some(sent), Some(shown)) = (documented.get("email").and_then(Value::as_str), reply["email"].as_str()) {
        assert_eq!(Email::parse(sent).as_ref().map(Email::as_str), Ok(shown), "{context}");
    }
    assert_eq!(server.violation(schema, &Value::Object(documented)), None, "{context}");
}

/// Returns whether the secret is where a 422 may repeat it: in a field that is declared and holds no secret, or in a name.
fn may_be_repeated(schema: &Value, body: &Value) -> bool {
    match body {
        Value::Array(items) => items.iter().any(|item| may_be_repeated(schema, item)),
        Value::Object(members) => members.iter().any(|(name, member)| {
            let properties = schema["properties"].as_object();
            let declared = properties.and_then(|all| all.iter().find(|(one, _)| one.eq_ignore_ascii_case(name)));
            let is_shown = declared.is_some_and(|(one, about)| about["format"] != "password" && !one.contains("token"));
            name.contains(SECRET) || may_be_repeated(schema, member) || is_shown && member.to_string().contains(SECRET)
        }),
        _ => false,
    }
}
