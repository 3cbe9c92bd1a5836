//! TLS before the plain test servers: a private CA, an HTTP/1.1 or HTTP/2 front, a CONNECT proxy
//! and a line with a delay.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;

/// An authority that no machine trusts by itself.
pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate in PEM format.
    pub file: PathBuf,
}

/// What is wrong with a certificate, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    Expired,
    OtherHost,
}

impl Ca {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = std::env::temp_dir().join(format!("polaris-{name}-{}.pem", std::process::id()));
        std::fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, file }
    }

    fn acceptor(&self, hosts: &[&str], flaw: Flaw, protocol: &str) -> TlsAcceptor {
        let hosts: Vec<String> = match flaw {
            Flaw::OtherHost => vec!["elsewhere.test".to_owned()],
            _ => hosts.iter().map(|&host| host.to_owned()).collect(),
        };
        let mut params = CertificateParams::new(hosts).unwrap();
        if flaw == Flaw::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer).unwrap().into();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// A server that ends with its owner.
pub struct Front {
    pub port: u16,
    /// Connections that were accepted.
    pub connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Front {
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    async fn listen<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let connections = Arc::clone(&connections);
            async move {
                let mut open = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).unwrap();
                    connections.fetch_add(1, Ordering::SeqCst);
                    open.spawn(serve(stream));
                }
            }
        });
        Self { port, connections, _tasks: tasks }
    }

    /// `https://localhost:<port>` in the protocol that `protocol` (ALPN) names, before `upstream`.
    pub async fn tls(ca: &Ca, flaw: Flaw, protocol: &str, upstream: &str) -> Self {
        let acceptor = ca.acceptor(&["localhost", "model.test", "store.test"], flaw, protocol);
        let upstream = upstream.to_owned();
        // The core installs it, too, when it makes its first client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self::listen(move |stream| {
            let (acceptor, upstream, client) = (acceptor.clone(), upstream.clone(), client.clone());
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request| forward(client.clone(), upstream.clone(), request));
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        })
        .await
    }

    /// An HTTP proxy that knows the hosts in `routes` and no others.
    pub async fn proxy(routes: Vec<(&'static str, u16)>) -> Self {
        Self::listen(move |mut stream| {
            let routes = routes.clone();
            async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(':').next());
                let Some((_, port)) = routes.iter().find(|(host, _)| Some(*host) == target) else {
                    let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
                    return;
                };
                let mut onward = TcpStream::connect(("127.0.0.1", *port)).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut onward).await;
            }
        })
        .await
    }

    /// A line to `port` on which everything takes `delay` in each direction.
    pub async fn far(port: u16, delay: Duration) -> Self {
        Self::listen(move |stream| async move {
            let Ok(onward) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            onward.set_nodelay(true).unwrap();
            let ((near_read, near_write), (far_read, far_write)) = (stream.into_split(), onward.into_split());
            // Either end closing closes the other, as late as everything else.
            tokio::join!(delayed(near_read, far_write, delay), delayed(far_read, near_write, delay));
        })
        .await
    }
}

async fn delayed(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
) {
    let mut line: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut buffer = vec![0; 64 << 10];
    let mut open = true;
    while open || !line.is_empty() {
        let due = line.front().map(|(due, _)| *due);
        tokio::select! {
            read = from.read(&mut buffer), if open => match read {
                Ok(n) if n > 0 => line.push_back((Instant::now() + delay, buffer[..n].to_vec())),
                _ => open = false,
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some((_, bytes)) = line.pop_front() && to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = to.shutdown().await;
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, reqwest::Error>;

async fn forward(
    client: reqwest::Client,
    upstream: String,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let url = format!("{upstream}{}", request.uri().path());
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    headers.remove("host");
    let body = body.collect().await.unwrap().to_bytes();
    let answer = client.request(parts.method, url).headers(headers).body(body).send().await;
    Ok(match answer {
        Ok(answer) => {
            let mut response = Response::builder().status(answer.status());
            if let Some(kind) = answer.headers().get("content-type") {
                response = response.header("content-type", kind);
            }
            let frames = futures::StreamExt::map(answer.bytes_stream(), |chunk| chunk.map(Frame::data));
            response.body(StreamBody::new(frames).boxed_unsync()).unwrap()
        }
        Err(_) => {
            let empty = Full::new(Bytes::new()).map_err(|never| match never {});
            Response::builder().status(502).body(empty.boxed_unsync()).unwrap()
        }
    })
}
