//! Queries: every documented operation with parameters answers any query, as documented, and applies its filters.
#![no_main]

use std::collections::HashMap;

use lanterne_fuzz::server::{Checked, Operation, Server};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

thread_local! {
    static SERVER: Server = Server::start(&[]);
    static OPERATIONS: Vec<Operation> = SERVER.with(|server| server.operations(|about| {
        about["parameters"].as_array().is_some_and(|parameters| parameters.iter().any(|one| one["in"] == "query"))
    }));
}

fuzz_target!(|query: &str| OPERATIONS.with(|operations| {
    // What follows is the fragment, which is not sent.
    let query = query.split('#').next().unwrap_or_default();
    assert!(operations.len() >= 2, "operations with parameters are missing");
    for operation in operations {
        let Some(reply) = SERVER.with(|server| server.call(operation, query, b"")) else { return };
        // The last value of a parameter counts; an empty one is none.
        let given = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
        let given: HashMap<_, _> = given.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        match reply.status {
            200 => check_page(operation, &given, &reply.json),
            422 => check_faults(operation, &given, &reply),
            status => panic!("{status} {query}"),
        }
    }
}));

/// Checks that the entries of a page are those asked for.
fn check_page(operation: &Operation, given: &HashMap<String, String>, page: &Value) {
    let items = page["items"].as_array().expect("items");
    let number = |name: &str| given.get(name).map(|text| text.parse::<i64>().unwrap_or(i64::MAX));
    let limit = number("limit").unwrap_or(50);
    assert!((1..=200).contains(&limit) && items.len() as i64 <= limit, "{given:?}: {page}");
    let all = |is_valid: &dyn Fn(&Value) -> bool| assert!(items.iter().all(is_valid), "{given:?}: {page}");
    let id = |item: &Value| item["id"].as_i64().expect("an id");
    if operation.path == "/admin/users" {
        assert!(items.is_sorted_by(|one, next| id(one) < id(next)), "{page}");
        assert_eq!(
            (page["limit"].as_i64(), page["offset"].as_i64()),
            (Some(limit), Some(number("offset").unwrap_or(0)))
        );
        // Other texts are normalized first, which the tests of `EmailPart` cover.
        let is_normal = |part: &&String| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some(part) = given.get("q").filter(is_normal) {
            let part = part.to_ascii_lowercase();
            all(&|user| user["email"].as_str().is_some_and(|email| email.to_ascii_lowercase().contains(&part)));
        }
        for name in ["is_active", "is_admin"] {
            if let Some(flag) = given.get(name) {
                let is_set = ["1", "t", "y", "on", "yes", "true"].contains(&flag.to_ascii_lowercase().as_str());
                all(&|user| user[name] == is_set);
            }
        }
    }
    if operation.path == "/admin/audit-logs" {
        assert!(items.is_sorted_by(|one, next| id(one) > id(next)), "{page}");
        if let Some(before) = number("before") {
            all(&|row| id(row) < before);
        }
        if let Some(action) = given.get("action") {
            all(&|row| row["action"] == *action);
        }
        if let Some(user_id) = number("user_id") {
            all(&|row| row["user_id"] == user_id);
        }
    }
}

/// Checks that each fault names a parameter, with the value that counts. The body of these requests is empty, which is a fault
/// of operations that need one.
fn check_faults(operation: &Operation, given: &HashMap<String, String>, reply: &Checked) {
    let faults = reply.json["detail"].as_array().expect("faults");
    let has_body = !operation.description["requestBody"].is_null();
    for fault in faults.iter().filter(|fault| !has_body || fault["loc"][0] != "body") {
        let name = fault["loc"][1].as_str().expect("a name");
        let parameters = operation.description["parameters"].as_array().expect("parameters");
        assert!(fault["loc"][0] == "query" && parameters.iter().any(|one| one["name"] == name), "{fault}");
        assert_eq!(fault["input"].as_str(), given.get(name).map(String::as_str), "{fault}");
    }
}
