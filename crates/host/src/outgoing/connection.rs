//! Opens connections: DNS, TCP and TLS.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use anyhow::Result;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::Host;
use wasmtime_wasi::runtime::spawn_blocking;
use wasmtime_wasi_http::Error;

use crate::outgoing::Client;
use crate::outgoing::allowed_hosts::Destination;

/// A connection with or without TLS.
pub(super) type Stream = Box<dyn AsyncStream>;

pub(super) trait AsyncStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> AsyncStream for S {}

/// Connects to `destination` until `deadline`.
pub(super) async fn open(
    destination: &Destination,
    client: &Client,
    turn: &Arc<OwnedSemaphorePermit>,
    deadline: Instant,
) -> Result<Stream, Error> {
    let addresses = timeout_at(deadline, resolve(destination, turn)).await.map_err(|_| Error::DnsTimeout)??;
    let connect = async {
        let stream = TcpStream::connect(&*addresses).await.map_err(Error::Connect)?;
        stream.set_nodelay(true).map_err(Error::Connect)?;
        if !destination.is_https {
            return Ok(Box::new(stream) as Stream);
        }
        let name = server_name(&destination.host)?;
        let tls = client.tls.get().ok_or(Error::ConfigurationError)?;
        Ok(Box::new(tls.connect(name, stream).await.map_err(Error::Tls)?))
    };
    timeout_at(deadline, connect).await.map_err(|_| Error::ConnectionTimeout)?
}

/// Returns the addresses of `destination`. The system cannot cancel a look-up, so it keeps its turn until it ends.
async fn resolve(destination: &Destination, turn: &Arc<OwnedSemaphorePermit>) -> Result<Vec<SocketAddr>, Error> {
    let port = destination.port;
    let name = match &destination.host {
        Host::Ipv4(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::Ipv6(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::Domain(name) => name.clone(),
    };
    let turn = turn.clone();
    let look_up = move || -> io::Result<Vec<SocketAddr>> {
        let addresses = (name.as_str(), port).to_socket_addrs()?.collect();
        drop(turn);
        Ok(addresses)
    };
    match spawn_blocking(look_up).await {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(Error::DnsError { rcode: Some("the name has no address".into()), info_code: None }),
        Err(error) => Err(Error::DnsError { rcode: Some(error.to_string()), info_code: None }),
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, Error> {
    match host {
        Host::Ipv4(address) => Ok(ServerName::from(std::net::IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(std::net::IpAddr::from(*address))),
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid),
    }
}

/// Creates the TLS client. It trusts the certificates of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
pub(super) fn tls() -> Result<TlsConnector> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::warn!("cannot read trusted certificates: {error}");
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        log::warn!(
            "no trusted certificates found: requests over HTTPS will fail. Set SSL_CERT_FILE, or install ca-certificates"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
