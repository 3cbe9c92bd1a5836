//! A small HTTP/1.1 server: whole requests in, whole or streamed answers out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

#[derive(Debug)]
pub struct Request {
    pub path: String,
    pub head: String,
    pub body: Vec<u8>,
}

/// A part of a streamed answer.
#[derive(Debug, Clone)]
pub enum Part {
    Bytes(Vec<u8>),
    /// Again and again, until the client has had enough.
    Endless(Vec<u8>),
    Pause(Duration),
    /// Nothing more, and the connection stays open.
    Hang,
    /// The connection is cut without the end of the answer.
    Cut,
}

#[derive(Debug, Clone)]
pub enum Reply {
    Full {
        status: u16,
        headers: String,
        body: Vec<u8>,
    },
    Stream {
        headers: String,
        parts: Vec<Part>,
    },
    /// The request is read, and the connection cut without an answer.
    Drop,
    /// As the reply inside, after this long.
    After(Duration, Box<Reply>),
}

impl Reply {
    pub fn json(status: u16, body: impl ToString) -> Self {
        let headers = "content-type: application/json\r\n".to_owned();
        Self::Full { status, headers, body: body.to_string().into_bytes() }
    }
}

/// What the server has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub requests: AtomicUsize,
    /// Streams that the client closed before their end.
    pub client_closed: AtomicUsize,
    pub changed: Notify,
}

#[derive(Debug)]
pub struct Server {
    pub url: String,
    pub seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(handler: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Seen::default());
        let handler = Arc::new(handler);
        let task = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                // Connections end with the server.
                let mut connections = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).unwrap();
                    connections.spawn(serve(stream, Arc::clone(&handler), Arc::clone(&seen)));
                }
            }
        });
        Self { url, seen, task }
    }

    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// Waits until a client has closed a stream early.
    pub async fn client_closed(&self) {
        while self.seen.client_closed.load(Ordering::SeqCst) == 0 {
            self.seen.changed.notified().await;
        }
    }

    /// Waits until `n` requests have come.
    pub async fn requested(&self, n: usize) {
        while self.requests() < n {
            self.seen.changed.notified().await;
        }
    }
}

async fn serve<H: Fn(Request) -> Reply>(mut stream: TcpStream, handler: Arc<H>, seen: Arc<Seen>) {
    while let Some(request) = read_request(&mut stream).await {
        seen.requests.fetch_add(1, Ordering::SeqCst);
        seen.changed.notify_one();
        let mut reply = handler(request);
        while let Reply::After(pause, inner) = reply {
            tokio::time::sleep(pause).await;
            reply = *inner;
        }
        match reply {
            Reply::After(..) | Reply::Drop => return,
            Reply::Full { status, headers, body } => {
                let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
                if stream.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
                    return;
                }
            }
            Reply::Stream { headers, parts } => {
                let head = format!("HTTP/1.1 200 OK\r\n{headers}transfer-encoding: chunked\r\n\r\n");
                let (mut reader, mut writer) = stream.split();
                let write = async {
                    writer.write_all(head.as_bytes()).await?;
                    for part in parts {
                        match part {
                            Part::Bytes(bytes) if bytes.is_empty() => {}
                            Part::Bytes(bytes) => writer.write_all(&chunk(&bytes)).await?,
                            Part::Endless(bytes) => loop {
                                writer.write_all(&chunk(&bytes)).await?;
                            },
                            Part::Pause(pause) => tokio::time::sleep(pause).await,
                            Part::Hang => std::future::pending().await,
                            Part::Cut => return Ok(false),
                        }
                    }
                    writer.write_all(b"0\r\n\r\n").await?;
                    std::io::Result::Ok(true)
                };
                let mut byte = [0_u8; 1];
                // The client says nothing while it listens: an end here is a close.
                let done = tokio::select! {
                    result = write => result.ok(),
                    _ = reader.read(&mut byte) => None,
                };
                let Some(done) = done else {
                    seen.client_closed.fetch_add(1, Ordering::SeqCst);
                    seen.changed.notify_one();
                    return;
                };
                if !done {
                    return;
                }
            }
        }
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 16 << 10];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().to_owned())
        })
        .map_or(0, |v| v.parse::<usize>().unwrap());
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => body.extend_from_slice(&buffer[..n]),
        }
    }
    let path = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    Some(Request { path, head, body })
}
