//! As much of HTTP/1.1 as loopback clients need: requests with `content-length`, connections kept
//! alive. Hand-written so that the server costs nearly nothing.

use std::io;

use memchr::memmem;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// A request.
#[derive(Debug)]
pub struct Request {
    /// The path, without the first slash.
    pub path: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The next request of a connection, `None` at its end. `buffer` keeps what belongs to the one after.
///
/// # Errors
/// What the socket reports, and `InvalidData` for what is no request.
pub async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let head = loop {
        if let Some(at) = memmem::find(buffer, b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let text = std::str::from_utf8(&buffer[..head]).map_err(invalid)?;
    let mut lines = text.split("\r\n");
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or_else(|| invalid("no request"))?;
    let path = path.trim_start_matches('/').to_owned();
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>().map_err(invalid))?;
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = buffer[head..head + length].to_vec();
    buffer.drain(..head + length);
    Ok(Some(Request { path, body }))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A whole answer of JSON.
pub fn json(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The head of a stream of events that `bytes` bytes follow.
pub fn stream_head(bytes: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\nx-bench-bytes: {bytes}\r\ntransfer-encoding: chunked\r\n\r\n"
    )
}

/// `text` as one chunk.
pub fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// The chunk that ends a body.
pub const LAST_CHUNK: &str = "0\r\n\r\n";
