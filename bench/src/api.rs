//! A blocking client of the API.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Response;

/// The password of all accounts.
const PASSWORD: &str = "a password of measurements";
/// Longer than the server works on any request.
const REPLY_TIMEOUT: Duration = Duration::from_secs(70);

/// A client with one connection, which is kept open between requests.
pub struct ApiClient {
    agent: Agent,
    url: String,
    address: Option<String>,
}

/// A whole reply.
pub struct ApiReply {
    /// The status code.
    pub status: u16,
    /// Whether there is a header `Retry-After`.
    pub has_retry_after: bool,
    /// The body; `null` if it is not JSON.
    pub body: Value,
}

impl ApiClient {
    /// Creates a client, which connects with its first request.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .max_idle_connections_per_host(1)
            .timeout_global(Some(REPLY_TIMEOUT));
        Self { agent: config.build().new_agent(), url: format!("http://{server}"), address: None }
    }

    /// Makes the client send `address` as the address for which a proxy forwards its requests.
    #[must_use]
    pub fn forwarded_for(self, address: String) -> Self {
        Self { address: Some(address), ..self }
    }

    /// Sends `GET path`.
    ///
    /// # Errors
    /// There is no reply.
    pub fn get(&self, path: &str, token: Option<&str>) -> Result<ApiReply> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        ApiReply::read(request.call()?)
    }

    /// Registers an account.
    ///
    /// # Errors
    /// There is no reply.
    pub fn register(&self, email: &str) -> Result<ApiReply> {
        self.post("/auth/register", &json!({"email": email, "password": PASSWORD}))
    }

    /// Logs in to an account that [`Self::register`] has created.
    ///
    /// # Errors
    /// There is no reply.
    pub fn login(&self, email: &str) -> Result<ApiReply> {
        self.login_with(email, PASSWORD)
    }

    /// Logs in.
    ///
    /// # Errors
    /// There is no reply.
    pub fn login_with(&self, email: &str, password: &str) -> Result<ApiReply> {
        self.post("/auth/login", &json!({"email": email, "password": password}))
    }

    /// Exchanges a refresh token.
    ///
    /// # Errors
    /// There is no reply.
    pub fn refresh(&self, token: &str) -> Result<ApiReply> {
        self.post("/auth/refresh", &json!({"refresh_token": token}))
    }

    fn post(&self, path: &str, body: &Value) -> Result<ApiReply> {
        let mut request = self.agent.post(format!("{}{path}", self.url)).content_type("application/json");
        if let Some(address) = &self.address {
            request = request.header("x-forwarded-for", address);
        }
        ApiReply::read(request.send(body.to_string())?)
    }
}

impl ApiReply {
    fn read(mut reply: Response<ureq::Body>) -> Result<Self> {
        let has_retry_after = reply.headers().contains_key("retry-after");
        let body = reply.body_mut().read_to_vec()?;
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Self { status: reply.status().as_u16(), has_retry_after, body })
    }

    /// Returns a member of the body that must be a string.
    ///
    /// # Errors
    /// There is no such member.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.body[name].as_str().with_context(|| format!("status {} without {name}: {}", self.status, self.body))
    }
}
