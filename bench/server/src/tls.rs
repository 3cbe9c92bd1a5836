//! TLS before a plain port of this machine, with a certificate of its own: for the rows that tell what
//! encryption costs a client.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The port with TLS, for `localhost`.
#[derive(Debug)]
pub struct Tls {
    /// Where it listens.
    pub port: u16,
    /// What a client has to trust, in PEM format.
    pub certificate: String,
}

impl Tls {
    /// Serves what `plain` serves, for as long as the process lives. HTTP/1.1, as all clients speak it.
    ///
    /// # Errors
    /// When no certificate can be made or no port is free.
    pub async fn start(plain: SocketAddr) -> io::Result<Self> {
        let made =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)
            })
            .map_err(io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that goes away is its own business.
                    let _ = relay(&acceptor, stream, plain).await;
                });
            }
        });
        Ok(Self { port, certificate: made.cert.pem() })
    }
}

async fn relay(acceptor: &TlsAcceptor, stream: TcpStream, plain: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    let mut onward = TcpStream::connect(plain).await?;
    onward.set_nodelay(true)?;
    copy_bidirectional(&mut stream, &mut onward).await.map(drop)
}
