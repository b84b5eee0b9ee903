//! A blocking HTTP/1.1 client of the API with one connection, cheap enough that it does not limit the server it measures.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use serde_json::{Value, json};

/// The password of all accounts.
pub const PASSWORD: &str = "a password of measurements";
/// The longest wait for a part of a reply: longer than the server works on any request.
const REPLY_TIMEOUT: Duration = Duration::from_secs(70);

/// A client that connects with its first request, and again after an error.
pub struct Client {
    server: SocketAddr,
    forwarded_for: Option<String>,
    connection: Option<BufReader<TcpStream>>,
}

/// A whole reply.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Whether there is a header `Retry-After`.
    pub has_retry_after: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// Creates a client.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        Self { server, forwarded_for: None, connection: None }
    }

    /// Makes the client send `address` as the address for which a proxy forwards its requests.
    #[must_use]
    pub fn forwarded_for(self, address: String) -> Self {
        Self { forwarded_for: Some(address), ..self }
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Registers an account.
    ///
    /// # Errors
    /// There is no reply.
    pub fn register(&mut self, email: &str) -> Result<Reply> {
        self.post("/auth/register", &json!({"email": email, "password": PASSWORD}))
    }

    /// Logs in to an account with [`PASSWORD`].
    ///
    /// # Errors
    /// There is no reply.
    pub fn login(&mut self, email: &str) -> Result<Reply> {
        self.post("/auth/login", &json!({"email": email, "password": PASSWORD}))
    }

    /// Exchanges a refresh token.
    ///
    /// # Errors
    /// There is no reply.
    pub fn refresh(&mut self, token: &str) -> Result<Reply> {
        self.post("/auth/refresh", &json!({"refresh_token": token}))
    }

    /// Sends `GET path`, with an access token.
    ///
    /// # Errors
    /// There is no reply.
    pub fn get(&mut self, path: &str, token: Option<&str>) -> Result<Reply> {
        self.send(
            "GET",
            path,
            &token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n")),
            "",
        )
    }

    /// Sends `POST path` with a JSON body.
    ///
    /// # Errors
    /// There is no reply.
    pub fn post(&mut self, path: &str, body: &Value) -> Result<Reply> {
        let body = body.to_string();
        let headers = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        self.send("POST", path, &headers, &body)
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Result<Reply> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{headers}", self.server);
        if let Some(address) = &self.forwarded_for {
            request += &format!("x-forwarded-for: {address}\r\n");
        }
        request += "\r\n";
        request += body;
        let mut connection = match self.connection.take().filter(is_open) {
            Some(connection) => connection,
            None => connect(self.server)?,
        };
        connection.get_mut().write_all(request.as_bytes())?;
        let (reply, is_last) = read(&mut connection)?;
        self.connection = Some(connection).filter(|_| !is_last);
        Ok(reply)
    }
}

fn connect(server: SocketAddr) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&server, REPLY_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
    Ok(BufReader::new(stream))
}

/// Whether the server has kept the connection open since the last reply.
fn is_open(connection: &BufReader<TcpStream>) -> bool {
    let received = recv(connection.get_ref(), &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    received.is_err_and(|error| error == Errno::AGAIN)
}

/// Reads a reply, and tells whether the server closes the connection after it.
fn read(connection: &mut BufReader<TcpStream>) -> Result<(Reply, bool)> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let status = line.split(' ').nth(1).context("the server closed the connection without a reply")?.parse()?;
    let mut reply = Reply { status, has_retry_after: false, body: Vec::new() };
    let (mut is_last, mut is_chunked, mut length) = (false, false, 0);
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "connection" => is_last = value.eq_ignore_ascii_case("close"),
            "content-length" => length = value.parse()?,
            "retry-after" => reply.has_retry_after = true,
            "transfer-encoding" => is_chunked = true,
            _ => {}
        }
    }
    ensure!(line == "\r\n", "the head of the reply is incomplete");
    if !is_chunked {
        reply.body.resize(length, 0);
        connection.read_exact(&mut reply.body)?;
        return Ok((reply, is_last));
    }
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim_end(), 16).context("the size of a chunk")?;
        let start = reply.body.len();
        reply.body.resize(start + size, 0);
        connection.read_exact(&mut reply.body[start..])?;
        // The end of the chunk.
        connection.read_line(&mut line)?;
        if size == 0 {
            return Ok((reply, is_last));
        }
    }
}

impl Reply {
    /// Parses the body; `null` if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns a member of the body that must be a string.
    ///
    /// # Errors
    /// There is no such member.
    pub fn text(&self, name: &str) -> Result<String> {
        let body = self.json();
        let text = body[name].as_str().with_context(|| format!("status {} without {name}: {body}", self.status))?;
        Ok(text.to_owned())
    }
}
