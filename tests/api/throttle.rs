//! Throttling of failed logins, which must not lock anybody out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WRONG: &str = "not the password";

/// Starts a server behind a proxy, so that requests can come from many addresses.
fn start() -> TestApp {
    TestApp::with(&[("client_ip_header", "x-forwarded-for")])
}

fn wait(app: &TestApp, seconds: u64) {
    app.wait(Duration::from_secs(seconds));
}

#[track_caller]
fn login_from(app: &TestApp, address: &str, email: &str, password: &str) -> Reply {
    let body = json!({"email": email, "password": password});
    app.post("/auth/login").header("x-forwarded-for", address).json(&body).send()
}

/// Asserts a 429 with its delay.
#[track_caller]
fn expect_pause(reply: &Reply, seconds: u64) {
    assert_eq!(reply.status(), 429, "{reply}");
    assert_eq!(reply.header("retry-after"), Some(seconds.to_string().as_str()), "{reply}");
    assert_eq!(reply.json(), json!({"detail": format!("Too many attempts. Try again in {seconds} seconds.")}));
}

fn audit_rows(app: &TestApp, action: &str) -> Value {
    app.db().rows("SELECT user_id, details FROM audit_logs WHERE action = ?1", [action])
}

#[test]
fn ten_failures_start_a_pause_that_doubles() {
    let app = start();
    let account = app.register("user@example.com");
    let login = |password| login_from(&app, "192.0.2.1", &account.email, password);
    for _ in 0..10 {
        login(WRONG).expect_detail(401, "Incorrect email or password");
    }
    expect_pause(&login(WRONG), 30);
    // The right password waits as well; otherwise guessing could continue.
    expect_pause(&login(PASSWORD), 30);
    assert_eq!(audit_rows(&app, "login_failed").as_array().map(Vec::len), Some(10));
    let refusal = "Refused: Too many attempts. Try again in 30 seconds: user@example.com";
    assert_eq!(audit_rows(&app, "login_throttled"), json!([[account.id, refusal]]), "one row per pause");

    for pause in [30, 60, 120, 240, 480, 900, 900] {
        expect_pause(&login(PASSWORD), pause);
        wait(&app, pause);
        login(WRONG).expect_status(401);
    }

    // Another account from the same address, and the same account from another address.
    let other = app.register("other@example.com");
    login_from(&app, "192.0.2.1", &other.email, PASSWORD).expect_status(200);
    login_from(&app, "192.0.2.2", &account.email, PASSWORD).expect_status(200);
}

#[test]
fn an_unknown_account_is_throttled_like_any_other() {
    let app = start();
    for _ in 0..10 {
        login_from(&app, "192.0.2.1", "nobody@example.com", WRONG).expect_status(401);
    }
    expect_pause(&login_from(&app, "192.0.2.1", "nobody@example.com", WRONG), 30);
    assert_eq!(audit_rows(&app, "login_throttled")[0][0], Value::Null);
}

#[test]
fn success_resets_the_failures() {
    let app = start();
    let account = app.register("user@example.com");
    for _ in 0..2 {
        for _ in 0..9 {
            login_from(&app, "192.0.2.1", &account.email, WRONG).expect_status(401);
        }
        login_from(&app, "192.0.2.1", &account.email, PASSWORD).expect_status(200);
    }
}

#[test]
fn the_right_password_of_an_inactive_account_is_not_a_failure() {
    let app = start();
    let account = app.register("user@example.com");
    app.db().execute("UPDATE users SET is_active = 0", []);
    for _ in 0..12 {
        login_from(&app, "192.0.2.1", &account.email, PASSWORD).expect_detail(403, "Account is inactive");
    }
    app.db().execute("UPDATE users SET is_active = 1", []);
    for _ in 0..10 {
        login_from(&app, "192.0.2.1", &account.email, WRONG).expect_status(401);
    }
    expect_pause(&login_from(&app, "192.0.2.1", &account.email, PASSWORD), 30);
}

#[test]
fn a_hundred_failures_from_one_address_pause_it_for_every_account() {
    let app = start();
    let account = app.register("user@example.com");
    for number in 0..98 {
        login_from(&app, "192.0.2.1", &format!("nobody{number}@example.com"), WRONG).expect_status(401);
    }
    // A login to one's own account does not reset the failures for other accounts.
    login_from(&app, "192.0.2.1", &account.email, PASSWORD).expect_status(200);
    login_from(&app, "192.0.2.1", "somebody@example.com", WRONG).expect_status(401);
    login_from(&app, "192.0.2.1", "else@example.com", WRONG).expect_status(401);
    expect_pause(&login_from(&app, "192.0.2.1", &account.email, PASSWORD), 30);
    login_from(&app, "192.0.2.2", &account.email, PASSWORD).expect_status(200);
    wait(&app, 15 * 60);
    login_from(&app, "192.0.2.1", "nobody@example.com", WRONG).expect_status(401);
    login_from(&app, "192.0.2.1", &account.email, PASSWORD).expect_status(200);
}

#[test]
fn failures_from_other_addresses_do_not_lock_the_owner_out() {
    let app = start();
    let account = app.register("user@example.com");
    for number in 0..100 {
        login_from(&app, &format!("192.0.2.{number}"), &account.email, WRONG).expect_status(401);
    }
    // An address that guesses wrong waits from its first failure on, 30 s at most.
    login_from(&app, "198.51.100.1", &account.email, WRONG).expect_status(401);
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        expect_pause(&login_from(&app, "198.51.100.1", &account.email, WRONG), pause);
        wait(&app, pause);
        login_from(&app, "198.51.100.1", &account.email, WRONG).expect_status(401);
    }
    // An address that knows the password does not wait.
    login_from(&app, "203.0.113.1", &account.email, PASSWORD).expect_status(200);
}

#[test]
fn a_stolen_token_does_not_bypass_the_throttle() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let guess = |password: &str| {
        let body = json!({"current_password": password, "new_password": "another horse, another staple"});
        app.post("/users/me/password").bearer(&tokens.access).json(&body).send()
    };
    for _ in 0..5 {
        guess(WRONG).expect_detail(400, "Incorrect password");
        app.try_login(&account.email, WRONG).expect_status(401);
    }
    expect_pause(&guess(PASSWORD), 30);
    expect_pause(&app.try_login(&account.email, PASSWORD), 30);
    let body = json!({"current_password": PASSWORD});
    expect_pause(&app.request("DELETE", "/users/me").bearer(&tokens.access).json(&body).send(), 30);
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
}

#[test]
fn counters_reveal_neither_accounts_nor_addresses() {
    let app = start();
    login_from(&app, "192.0.2.1", "user@example.com", WRONG).expect_status(401);
    let rows = app.db().rows("SELECT * FROM throttle", []);
    assert_eq!(rows.as_array().map(Vec::len), Some(3), "{rows}");
    let text = rows.to_string();
    assert!(!text.contains("user") && !text.contains("example") && !text.contains("192"), "{text}");
}

#[test]
fn a_network_can_register_sixty_accounts_a_minute() {
    let app = start();
    let register = |address: &str, number: u32| {
        let body = json!({"email": format!("user{number}@example.com"), "password": PASSWORD});
        app.post("/auth/register").header("x-forwarded-for", address).json(&body).send()
    };
    for number in 0..60 {
        // Refusals count as well.
        register("192.0.2.1", number / 2).expect_status(if number % 2 == 0 { 201 } else { 400 });
    }
    wait(&app, 20);
    expect_pause(&register("192.0.2.1", 60), 40);
    expect_pause(&register("192.0.2.1", 61), 40);
    let refused = "Refused: Too many attempts. Try again in 40 seconds: user60@example.com";
    let rows = app.db().rows("SELECT details FROM audit_logs WHERE details LIKE '%Too many%'", []);
    assert_eq!(rows, json!([[refused]]), "one row per pause");
    register("192.0.2.2", 60).expect_status(201);
    wait(&app, 40);
    register("192.0.2.1", 61).expect_status(201);
}

#[test]
fn a_network_can_refresh_six_hundred_times_a_minute() {
    let app = TestApp::start();
    let (_, mut tokens) = app.logged_in("user@example.com");
    for _ in 0..600 {
        tokens = app.refresh(&tokens.refresh);
        // Not counted: it writes nothing.
        app.try_refresh(&tokens.access).expect_status(401);
    }
    expect_pause(&app.try_refresh(&tokens.refresh), 60);
    wait(&app, 60);
    app.refresh(&tokens.refresh);
}

#[test]
fn a_clock_that_is_set_back_prolongs_no_pause() {
    let app = start();
    app.wait(365 * DAY);
    for _ in 0..10 {
        login_from(&app, "192.0.2.1", "user@example.com", WRONG).expect_status(401);
    }
    app.turn_back(365 * DAY);
    expect_pause(&login_from(&app, "192.0.2.1", "user@example.com", WRONG), 900);
    wait(&app, 900);
    login_from(&app, "192.0.2.1", "user@example.com", WRONG).expect_status(401);
}

#[test]
fn throttle_off_counts_nothing() {
    let app = TestApp::with(&[("throttle", "off")]);
    let account = app.register("user@example.com");
    for _ in 0..12 {
        app.try_login(&account.email, WRONG).expect_status(401);
    }
    let mut tokens = app.login(&account);
    for _ in 0..601 {
        tokens = app.refresh(&tokens.refresh);
        app.try_register(&account.email).expect_status(400);
    }
    assert_eq!(app.db().rows("SELECT * FROM throttle", []), json!([]));
}
