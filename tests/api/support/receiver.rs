//! An HTTP server that receives messages, as the app that sends them does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// A server on 127.0.0.1, which runs until the process ends.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    status: AtomicU16,
    received: Mutex<Vec<Received>>,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The method and the target.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    /// The body as it came.
    pub(crate) body: String,
}

impl Received {
    /// The value of a header.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map_or_else(|| panic!("no {name} in {self:?}"), |(_, value)| value)
    }

    /// The body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

impl Receiver {
    /// Starts a server that replies with this status.
    pub(crate) fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { status: AtomicU16::new(status), received: Mutex::default() });
        let accepting = shared.clone();
        thread::spawn(move || listener.incoming().flatten().for_each(|stream| accepting.answer(stream)));
        Self { address, shared }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Replies with another status from now on.
    pub(crate) fn reply(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// What has been received since the last call.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.shared.received.lock().expect("not poisoned"))
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("text");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let headers: Vec<_> = lines
            .iter()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").expect("a length").1.parse();
        let mut body = vec![0; length.expect("a number")];
        reader.read_exact(&mut body).expect("the body");
        let received = Received { line: lines[0].clone(), headers, body: String::from_utf8(body).expect("text") };
        self.received.lock().expect("not poisoned").push(received);
        let status = self.status.load(Ordering::SeqCst);
        let reply = format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(reply.as_bytes()).expect("the client reads");
    }
}
