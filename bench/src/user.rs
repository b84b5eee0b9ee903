//! An account, and the requests that its owner sends.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};

use crate::client::Client;

/// The number of accounts registered so far: an address works once.
static REGISTERED: AtomicU64 = AtomicU64::new(0);

/// A request.
#[derive(Clone, Copy, PartialEq)]
pub enum Request {
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

/// An account with its own connection and the tokens of its session.
pub struct User {
    client: Client,
    email: String,
    access: String,
    refresh: String,
}

impl User {
    /// Returns an account without a session.
    #[must_use]
    pub fn new(server: SocketAddr, email: String) -> Self {
        Self { client: Client::new(server), email, access: String::new(), refresh: String::new() }
    }

    /// Returns the same account and session with a connection of its own.
    #[must_use]
    pub fn reconnected(&self) -> Self {
        let Self { client, email, access, refresh } = self;
        let client = Client::new(client.server());
        Self { client, email: email.clone(), access: access.clone(), refresh: refresh.clone() }
    }

    /// Sends a request, and keeps the tokens of the reply.
    ///
    /// # Errors
    /// There is no reply, the status is not 2xx, or the reply has no tokens.
    pub fn send(&mut self, request: Request) -> Result<()> {
        let (client, access) = (&mut self.client, Some(self.access.as_str()));
        let reply = match request {
            Request::Healthz => client.get("/healthz", None),
            Request::Me => client.get("/users/me", access),
            Request::List => client.get("/admin/users?limit=50", access),
            Request::Search => client.get("/admin/users?limit=50&q=user-77", access),
            Request::Register => {
                client.register(&format!("new-{}@example.com", REGISTERED.fetch_add(1, Ordering::Relaxed)))
            }
            Request::Login => client.login(&self.email),
            Request::Refresh => client.refresh(&self.refresh),
        }?;
        let is_success = (200..300).contains(&reply.status);
        ensure!(is_success, "{}: {}", reply.status, String::from_utf8_lossy(&reply.body));
        if matches!(request, Request::Login | Request::Refresh) {
            self.access = reply.text("access_token")?;
            self.refresh = reply.text("refresh_token")?;
        }
        Ok(())
    }
}
