//! The standard output and error of components that serve requests: each line becomes a log record.

use std::io;
use std::mem::take;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use log::Level;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// The maximum length of a line, in bytes. Longer lines are split, which bounds the buffer.
const LINE_SIZE_MAX: usize = 4096;

/// The standard output or standard error of a component.
#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) component: Arc<str>,
    pub(crate) level: Level,
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { output: self.clone(), line: Vec::new() })
    }
}

/// Splits a stream into lines. Writes never block and never fail.
struct Lines {
    output: Output,
    /// The incomplete last line.
    line: Vec<u8>,
}

impl Lines {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, has_ended) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
            self.line.extend_from_slice(part);
            if has_ended || self.line.len() >= LINE_SIZE_MAX {
                self.end_line();
            }
        }
    }

    /// Logs the line, unless it is empty.
    fn end_line(&mut self) {
        let Output { component, level } = &self.output;
        let line = take(&mut self.line);
        if line.is_empty() {
            return;
        }
        log::log!(*level, component = &**component; "{}", String::from_utf8_lossy(&line));
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end_line();
    }
}
