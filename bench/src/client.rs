//! An HTTP/1.1 client with one connection, cheap enough that it does not limit the server it measures.

use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A connection that is kept open between requests.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    server: String,
}

/// A whole response.
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// Connects to `server`.
    ///
    /// # Errors
    /// The server does not accept the connection.
    pub async fn connect(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error also fails the request in flight.
        tokio::spawn(connection);
        Ok(Self { sender, server: server.to_string() })
    }

    /// Sends `GET path` and waits for the reply.
    ///
    /// # Errors
    /// The connection ends before the reply.
    pub async fn get(&mut self, path: &str, token: Option<&str>) -> Result<Reply> {
        self.send("GET", path, token, None).await
    }

    /// Sends `POST path` with a JSON body and waits for the reply.
    ///
    /// # Errors
    /// The connection ends before the reply.
    pub async fn post(&mut self, path: &str, token: Option<&str>, body: &Value) -> Result<Reply> {
        self.send("POST", path, token, Some(body)).await
    }

    /// Sends a request and waits for the reply.
    ///
    /// # Errors
    /// The connection ends before the reply.
    pub async fn send(&mut self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Result<Reply> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.server);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request.body(Full::new(body))?).await?.into_parts();
        Ok(Reply { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
    }
}

impl Reply {
    /// Parses the body.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}
