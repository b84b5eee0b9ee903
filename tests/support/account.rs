//! An account made the way everybody makes one.

use serde_json::json;

use super::app::TestApp;
use super::reply::Reply;

/// A password that the API takes.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// An account, registered.
pub(crate) struct Account {
    /// Its id.
    pub(crate) id: i64,
    /// Its address, normalised.
    pub(crate) email: String,
}

/// The tokens of a login or a refresh.
pub(crate) struct Tokens {
    /// Opens protected routes.
    pub(crate) access: String,
    /// Buys the next pair.
    pub(crate) refresh: String,
}

impl TestApp {
    /// Asks for an account with [`PASSWORD`].
    #[track_caller]
    pub(crate) fn try_register(&self, email: &str) -> Reply {
        self.post("/auth/register").json(&json!({"email": email, "password": PASSWORD})).send()
    }

    /// Makes an account with [`PASSWORD`].
    #[track_caller]
    pub(crate) fn register(&self, email: &str) -> Account {
        let reply = self.try_register(email).expect_status(201);
        Account { id: reply.json()["id"].as_i64().expect("an id"), email: reply.field("email") }
    }

    /// Asks for tokens.
    #[track_caller]
    pub(crate) fn try_login(&self, email: &str, password: &str) -> Reply {
        self.post("/auth/login").json(&json!({"email": email, "password": password})).send()
    }

    /// Logs the account in with [`PASSWORD`].
    #[track_caller]
    pub(crate) fn login(&self, account: &Account) -> Tokens {
        Tokens::of(&self.try_login(&account.email, PASSWORD).expect_status(200))
    }

    /// Makes an account and logs it in.
    #[track_caller]
    pub(crate) fn logged_in(&self, email: &str) -> (Account, Tokens) {
        let account = self.register(email);
        let tokens = self.login(&account);
        (account, tokens)
    }

    /// Makes an administrator and logs it in.
    #[track_caller]
    pub(crate) fn admin(&self, email: &str) -> (Account, Tokens) {
        let (account, tokens) = self.logged_in(email);
        self.db().execute("UPDATE users SET is_admin = 1 WHERE id = ?1", [account.id]);
        (account, tokens)
    }

    /// Asks for new tokens.
    #[track_caller]
    pub(crate) fn try_refresh(&self, refresh_token: &str) -> Reply {
        self.post("/auth/refresh").json(&json!({"refresh_token": refresh_token})).send()
    }

    /// Trades the token for new ones.
    #[track_caller]
    pub(crate) fn refresh(&self, refresh_token: &str) -> Tokens {
        Tokens::of(&self.try_refresh(refresh_token).expect_status(200))
    }
}

impl Tokens {
    /// Those in a reply.
    #[track_caller]
    pub(crate) fn of(reply: &Reply) -> Self {
        Self { access: reply.field("access_token"), refresh: reply.field("refresh_token") }
    }
}
