//! An account, and the requests that its owner sends.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use bench::client::{Client, Reply};
use serde_json::{Value, json};

/// The password of all accounts.
pub(crate) const PASSWORD: &str = "benchmark-password";
/// Its bcrypt hash of cost 12, so that accounts can be inserted without hashing.
pub(crate) const PASSWORD_HASH: &str = "$2b$12$VGqq1qVvqrO99cs0QTtgP.y2kaFz5QflblDbWelqG59cXbNf5Agve";

/// The number of accounts registered so far: an address works once.
static REGISTERED: AtomicU64 = AtomicU64::new(0);

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// `GET /healthz`
    Healthz,
    /// `POST /auth/register`, with an address that has no account.
    Register,
    /// `POST /auth/login`
    Login,
    /// `POST /auth/refresh`
    Refresh,
    /// `GET /users/me`
    Me,
    /// `GET /admin/users`
    List,
    /// `GET /admin/users` with a text that few addresses contain.
    Search,
}

/// An account with the tokens of its session.
#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    /// The address.
    pub(crate) email: String,
    access: String,
    refresh: String,
}

impl User {
    /// Returns an account without a session.
    pub(crate) fn new(email: String) -> Self {
        Self { email, ..Self::default() }
    }

    /// Sends a request, and keeps the tokens of the reply.
    ///
    /// # Errors
    /// The connection ends, the status is not 2xx, or the reply has no tokens.
    pub(crate) async fn send(&mut self, request: Request, client: &mut Client) -> Result<()> {
        let access = Some(self.access.as_str());
        let reply = match request {
            Request::Healthz => client.get("/healthz", None).await,
            Request::Me => client.get("/users/me", access).await,
            Request::List => client.get("/admin/users?limit=50", access).await,
            Request::Search => client.get("/admin/users?limit=50&q=user-77", access).await,
            Request::Register => {
                let number = REGISTERED.fetch_add(1, Ordering::Relaxed);
                let email = format!("new-{number}@example.com");
                client.post("/auth/register", None, &json!({ "email": email, "password": PASSWORD })).await
            }
            Request::Login => {
                client.post("/auth/login", None, &json!({ "email": self.email, "password": PASSWORD })).await
            }
            Request::Refresh => client.post("/auth/refresh", None, &json!({ "refresh_token": self.refresh })).await,
        }?;
        ensure!(reply.status.is_success(), "{}: {}", reply.status, String::from_utf8_lossy(&reply.body));
        if matches!(request, Request::Login | Request::Refresh) {
            self.take_tokens(&reply)?;
        }
        Ok(())
    }

    fn take_tokens(&mut self, reply: &Reply) -> Result<()> {
        let body = reply.json()?;
        let token = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned).context("no tokens");
        self.access = token("access_token")?;
        self.refresh = token("refresh_token")?;
        Ok(())
    }
}
