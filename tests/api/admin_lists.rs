//! `GET /admin/users`: filters, pages and totals.

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::json;

use crate::admin::Scene;

/// The addresses on a page, and the total.
#[track_caller]
fn found(scene: &Scene, query: &str) -> (Vec<String>, i64) {
    let page = scene.get(&format!("/admin/users?{query}")).expect_status(200).json();
    let items = page["items"].as_array().expect("a list");
    let emails = items.iter().map(|item| item["email"].as_str().expect("a text").to_owned()).collect();
    (emails, page["total"].as_i64().expect("a number"))
}

#[test]
fn the_list_is_filtered_with_its_total() {
    let scene = Scene::new();
    for email in ["50%off@example.com", "under_score@example.com", "underXscore@example.com", "MiXed@example.com"] {
        scene.app.register(email);
    }
    scene.app.db().execute("UPDATE users SET is_active = 0 WHERE email LIKE 'under%'", []);
    assert_eq!(found(&scene, "").1, 6);
    // As an HTML form sends empty fields.
    assert_eq!(found(&scene, "limit=50&offset=0&q=&is_active=&is_admin=").1, 6);
    for (query, emails) in [
        ("q=off%40", vec!["50%off@example.com"]),
        ("q=%25", vec!["50%off@example.com"]),
        ("q=_", vec!["under_score@example.com"]),
        ("q=mixed", vec!["MiXed@example.com"]),
        ("q=MIXED%40EXAMPLE", vec!["MiXed@example.com"]),
        ("q=%5C", vec![]),
        ("q=%00", vec![]),
        ("q='%20OR%20'1'='1", vec![]),
        ("is_admin=true", vec!["admin@example.com"]),
        ("is_active=false&q=score", vec!["under_score@example.com", "underXscore@example.com"]),
        ("is_active=0&is_admin=1", vec![]),
        ("is_active=true&is_admin=false&limit=1&q=example", vec!["user@example.com"]),
    ] {
        let (found_emails, total) = found(&scene, query);
        assert_eq!(found_emails, emails, "{query}");
        let all = if query.contains("limit") { 3 } else { emails.len() as i64 };
        assert_eq!(total, all, "{query}");
    }
    assert_eq!(found(&scene, "limit=2&offset=4").1, 6);
    assert_eq!(found(&scene, "limit=50&offset=6"), (vec![], 6));
    assert_eq!(found(&scene, "offset=99999999999999999999"), (vec![], 6));
    let page = scene.get("/admin/users?limit=2&offset=1").json();
    assert_eq!((&page["limit"], &page["offset"]), (&json!(2), &json!(1)));
    for query in ["limit=0", "limit=201", "limit=x", "offset=-1", "is_active=perhaps", "is_admin=2"] {
        let reply = scene.get(&format!("/admin/users?{query}")).expect_status(422);
        assert_eq!(reply.json()["detail"][0]["loc"][0], "query", "{query}");
    }
}

#[test]
fn a_search_finds_addresses_as_they_were_typed() {
    let scene = Scene::new();
    for email in ["Jose\u{301}@bücher.example", "JOSE@xn--bcher-kva.example", "xn--bcher-kva@lanterne.example"] {
        scene.app.register(email);
    }
    let (jose, ascii, local) = ("José@bücher.example", "JOSE@bücher.example", "xn--bcher-kva@lanterne.example");
    for (query, emails) in [
        ("JOSE\u{301}", vec![jose]),
        ("josé", vec![jose]),
        ("jos", vec![jose, ascii]),
        ("BÜCHER", vec![jose, ascii]),
        ("BU\u{308}CHER.EX", vec![jose, ascii]),
        ("@xn--bcher-kva.example", vec![jose, ascii]),
        ("XN--BCHER-KVA", vec![jose, ascii, local]),
        ("xn--bcher-kva@", vec![local]),
        (" José <JOSÉ@Bücher.Example> ", vec![jose]),
        ("ＬＡＮＴＥＲＮＥ.example", vec![local]),
        ("Ü%", vec![]),
        ("Ü*", vec![]),
    ] {
        let query = format!("q={}", percent_encode(query.as_bytes(), NON_ALPHANUMERIC));
        assert_eq!(
            found(&scene, &query),
            (emails.iter().map(ToString::to_string).collect(), emails.len() as i64),
            "{query}"
        );
    }
}

#[test]
fn a_search_finds_every_letter_that_differs_only_in_case() {
    let scene = Scene::new();
    let emails = ["οδος@example.org", "ΟΔΟΣ@example.com", "οδοσ@example.net", "straße@example.com", "x@οδος.example"];
    for email in emails {
        scene.app.register(email);
    }
    let greek = || emails[..3].iter().map(ToString::to_string).collect::<Vec<_>>();
    for query in ["ΟΔΟΣ@", "οδος@", "οδοσ@", "Οδος@"] {
        let query = format!("q={}", percent_encode(query.as_bytes(), NON_ALPHANUMERIC));
        assert_eq!(found(&scene, &query), (greek(), 3), "{query}");
    }
    for (query, email) in [("STRAẞE", emails[3]), ("@ΟΔΟΣ", emails[4]), ("@οδος.EXAMPLE", emails[4])] {
        let encoded = format!("q={}", percent_encode(query.as_bytes(), NON_ALPHANUMERIC));
        assert_eq!(found(&scene, &encoded), (vec![email.to_owned()], 1), "{query}");
    }
}

#[test]
fn pages_have_no_gaps_or_repeats_while_accounts_are_created() {
    let scene = Scene::new();
    scene.app.db().execute_all(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9998)
         INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at)
         SELECT 'many' || i || '@example.org', 'x', 1, 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000' FROM n",
    );
    let (mut seen, mut offset) = (Vec::new(), 0);
    loop {
        let page = scene.get(&format!("/admin/users?limit=200&offset={offset}")).expect_status(200).json();
        let items = page["items"].as_array().expect("a list").clone();
        if items.is_empty() {
            break;
        }
        seen.extend(items.iter().map(|item| item["id"].as_i64().expect("an id")));
        offset += items.len();
        if offset % 2000 == 0 {
            scene.app.register(&format!("late{offset}@example.com"));
        }
    }
    let all = scene.app.db().rows("SELECT id FROM users ORDER BY id", []);
    let all: Vec<i64> = all.as_array().expect("rows").iter().filter_map(|row| row[0].as_i64()).collect();
    assert!(all.len() > 10_000, "{} accounts", all.len());
    assert_eq!(seen, all);
}
