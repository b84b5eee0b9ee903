//! An authority that issues certificates for tests.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::project::Project;

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

fn provider() -> Arc<CryptoProvider> {
    rustls::crypto::ring::default_provider().into()
}

impl Authority {
    /// Creates an authority that nobody trusts yet.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    /// Returns the configuration of a server with a certificate for `name` that expires in `year`.
    pub(crate) fn server(&self, name: &str, year: i32) -> ServerConfig {
        self.server_for(WebPkiClientVerifier::no_client_auth(), name, year)
    }

    /// Returns the configuration of a server as [`Self::server`] does, which requires certificates of its clients.
    pub(crate) fn server_for_certified_clients(&self, name: &str, year: i32) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a certificate");
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build();
        self.server_for(clients.expect("an authority"), name, year)
    }

    fn server_for(&self, clients: Arc<dyn ClientCertVerifier>, name: &str, year: i32) -> ServerConfig {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_client_cert_verifier(clients);
        builder.with_single_cert(vec![certificate.der().clone()], key).expect("a certificate")
    }

    /// Makes programs in `project` trust this authority, and no other.
    pub(crate) fn trusted_by(&self, project: Project) -> Project {
        let project = project.file("trusted.pem", &self.0.pem());
        let path = project.path("trusted.pem");
        project.environment("SSL_CERT_FILE", path.to_str().expect("a path"))
    }
}
