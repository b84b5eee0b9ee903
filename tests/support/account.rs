//! Accounts registered over the API, and their tokens.
#![allow(dead_code, reason = "shared by two test binaries, which use different parts")]

use serde_json::json;

use super::app::TestApp;
use super::reply::Reply;

/// A valid password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A registered account.
pub(crate) struct Account {
    /// The row's id.
    pub(crate) id: i64,
    /// The normalized address.
    pub(crate) email: String,
}

/// The tokens of a login or a refresh.
pub(crate) struct Tokens {
    /// Authorizes requests.
    pub(crate) access: String,
    /// Is exchanged for the next pair.
    pub(crate) refresh: String,
}

impl TestApp {
    /// Sends a registration with [`PASSWORD`].
    #[track_caller]
    pub(crate) fn try_register(&self, email: &str) -> Reply {
        self.post("/auth/register").json(&json!({"email": email, "password": PASSWORD})).send()
    }

    /// Registers an account with [`PASSWORD`].
    #[track_caller]
    pub(crate) fn register(&self, email: &str) -> Account {
        let reply = self.try_register(email).expect_status(201);
        Account { id: reply.json()["id"].as_i64().expect("an id"), email: reply.field("email") }
    }

    /// Sends a login.
    #[track_caller]
    pub(crate) fn try_login(&self, email: &str, password: &str) -> Reply {
        self.post("/auth/login").json(&json!({"email": email, "password": password})).send()
    }

    /// Logs in with [`PASSWORD`].
    #[track_caller]
    pub(crate) fn login(&self, account: &Account) -> Tokens {
        Tokens::of(&self.try_login(&account.email, PASSWORD).expect_status(200))
    }

    /// Registers an account and logs in.
    #[track_caller]
    pub(crate) fn logged_in(&self, email: &str) -> (Account, Tokens) {
        let account = self.register(email);
        let tokens = self.login(&account);
        (account, tokens)
    }

    /// Registers an administrator and logs in.
    #[track_caller]
    pub(crate) fn admin(&self, email: &str) -> (Account, Tokens) {
        let (account, tokens) = self.logged_in(email);
        self.db().execute("UPDATE users SET is_admin = 1 WHERE id = ?1", [account.id]);
        (account, tokens)
    }

    /// Sends a refresh.
    #[track_caller]
    pub(crate) fn try_refresh(&self, refresh_token: &str) -> Reply {
        self.post("/auth/refresh").json(&json!({"refresh_token": refresh_token})).send()
    }

    /// Exchanges a refresh token for the next pair.
    #[track_caller]
    pub(crate) fn refresh(&self, refresh_token: &str) -> Tokens {
        Tokens::of(&self.try_refresh(refresh_token).expect_status(200))
    }
}

impl Tokens {
    /// Reads the tokens of a reply.
    #[track_caller]
    pub(crate) fn of(reply: &Reply) -> Self {
        Self { access: reply.field("access_token"), refresh: reply.field("refresh_token") }
    }
}
