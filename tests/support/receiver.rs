//! A server on 127.0.0.1 that components send requests to. How it answers depends on the path.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long it waits for more connections.
const GATHER_TIMEOUT: Duration = Duration::from_secs(3);

/// A running server. It stops with the process.
pub(crate) struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    requests: Mutex<Vec<String>>,
    open: Mutex<Open>,
    /// The path whose answer `/hook` gives.
    hook: Mutex<String>,
    changed: Condvar,
}

#[derive(Default)]
struct Open {
    count: usize,
    peak: usize,
}

impl Receiver {
    /// Starts a server for plain HTTP.
    pub(crate) fn start() -> Self {
        Self::listen(None)
    }

    /// Starts a server with TLS.
    pub(crate) fn start_tls(config: ServerConfig) -> Self {
        Self::listen(Some(Arc::new(config)))
    }

    /// Starts a server for plain HTTP on an address that was free a moment ago.
    pub(crate) fn start_on(address: SocketAddr) -> Self {
        Self::serve(TcpListener::bind(address).expect("nobody else has taken it"), None)
    }

    fn listen(tls: Option<Arc<ServerConfig>>) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").expect("a free port"), tls)
    }

    fn serve(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> Self {
        let address = listener.local_addr().expect("an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Arc::<State>::default();
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state, tls) = (stream.expect("a connection"), shared.clone(), tls.clone());
                thread::spawn(move || state.serve(stream, tls));
            }
        });
        Self { address, scheme, state }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The URL of `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// Lets `/hook` answer as this path does. At first it echoes.
    pub(crate) fn hook_answers(&self, path: &str) {
        path.clone_into(&mut self.state.hook.lock().expect("no panic"));
    }

    /// Returns the requests received so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().expect("no panic").clone()
    }

    /// The highest number of requests that waited for an answer at the same time.
    pub(crate) fn peak(&self) -> usize {
        self.state.open.lock().expect("no panic").peak
    }
}

impl State {
    fn serve(&self, stream: TcpStream, tls: Option<Arc<ServerConfig>>) {
        match tls {
            None => self.answer(stream),
            Some(config) => {
                let connection = ServerConnection::new(config).expect("a configuration");
                let mut stream = StreamOwned::new(connection, stream);
                self.answer(&mut stream);
                stream.conn.send_close_notify();
                let _ = stream.flush();
                // Closing with unread data would reset the connection, and perhaps discard an alert.
                wait(&mut stream.sock);
            }
        }
    }

    /// Answers one request. A client that has gone is none of its business.
    fn answer(&self, mut stream: impl Read + Write) {
        let Some(request) = read(&mut stream) else {
            let _ = stream.write_all(b"this is not TLS");
            return;
        };
        let path = request.split(' ').nth(1).expect("a path").to_owned();
        self.requests.lock().expect("no panic").push(request.clone());
        self.change(1);
        let answer = self.answer_to(&path, &request, &mut stream);
        // Before the client has the answer: it may send the next request at once.
        self.change(-1);
        // A client that refuses the response may have closed the connection.
        let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
    }

    /// Returns the answer, or what remains of it after parts that were sent with pauses.
    fn answer_to(&self, path: &str, request: &str, stream: &mut (impl Read + Write)) -> String {
        let (name, argument) = path[1..].split_once('?').unwrap_or((&path[1..], ""));
        let reply = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        match name {
            "hook" if !self.hook().is_empty() => self.answer_to(&self.hook(), request, stream),
            // Answers once as many requests wait as the argument says.
            "gather" => {
                self.gather(argument.parse().expect("a number"));
                reply("gathered")
            }
            "redirect" => format!("HTTP/1.1 301 Moved\r\nLocation: {argument}\r\nContent-Length: 0\r\n\r\n"),
            "status" => format!("HTTP/1.1 {argument} Some\r\nContent-Length: 0\r\n\r\n"),
            "size" => reply(&"x".repeat(argument.parse().expect("a number"))),
            "chunks" => {
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
                let chunks = chunk.repeat(argument.parse().expect("a number"));
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\nx-trailer: end\r\n\r\n")
            }
            "head" => format!("HTTP/1.1 200 OK\r\nX-Large: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(200_000)),
            "garbage" => "this is not HTTP\r\n\r\n".to_owned(),
            "bad-chunk" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n".to_owned(),
            "half" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned(),
            "close" => String::new(),
            "silent" => {
                wait(stream);
                String::new()
            }
            "stall" => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").and(stream.flush());
                wait(stream);
                String::new()
            }
            "drip" => {
                drip(stream);
                String::new()
            }
            _ => reply(request),
        }
    }

    fn hook(&self) -> String {
        self.hook.lock().expect("no panic").clone()
    }

    fn change(&self, by: isize) {
        let mut open = self.open.lock().expect("no panic");
        open.count = open.count.checked_add_signed(by).expect("a count");
        open.peak = open.peak.max(open.count);
        self.changed.notify_all();
    }

    /// Waits until `count` requests have waited at the same time, and some time longer for one too many.
    fn gather(&self, count: usize) {
        let open = self.open.lock().expect("no panic");
        let waited = self.changed.wait_timeout_while(open, GATHER_TIMEOUT, |open| open.peak < count);
        drop(waited.expect("no panic"));
        thread::sleep(Duration::from_millis(200));
    }
}

/// The first byte of a TLS handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// Reads a request: its head, and as much of a body as `Content-Length` says. `None` if it is none.
fn read(stream: &mut impl Read) -> Option<String> {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(size) => request.extend_from_slice(&part[..size]),
        }
        if request[0] == HANDSHAKE {
            return None;
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let is_complete = match length {
            Some(length) => body.len() >= length,
            None => !head.contains("transfer-encoding: chunked") || body.ends_with("0\r\n\r\n"),
        };
        if is_complete {
            return Some(text);
        }
    }
}

/// Waits until the client closes the connection.
fn wait(stream: &mut impl Read) {
    while stream.read(&mut [0; 16]).is_ok_and(|size| size > 0) {}
}

/// Sends a byte of a body every 100 ms until the client closes the connection.
fn drip(stream: &mut impl Write) {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let mut sent = stream.write_all(head);
    while sent.is_ok() {
        thread::sleep(Duration::from_millis(100));
        sent = stream.write_all(b"x").and_then(|()| stream.flush());
    }
}
