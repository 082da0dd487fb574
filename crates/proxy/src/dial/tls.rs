//! How TLS is spoken to upstreams: who is trusted, who this server is, and what is said inside.

use std::fmt;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::words;
use crate::failure::{Cause, Failure, Phase};
use crate::origin::Protocol;

/// Largest file of certificates or a key that is read.
const MAX_PEM_BYTES: u64 = 4 * 1024 * 1024;

/// What an operator may say about TLS to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// Whether its certificate has to be valid.
    pub verify: bool,
    /// Authorities to trust, PEM; those of the system otherwise.
    pub ca: Option<PathBuf>,
    /// This server's certificate chain and its key, PEM, for upstreams that ask for one.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The name that its certificate is for, when that is not the one it is reached by.
    pub server_name: Option<String>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self { verify: true, ca: None, client: None, server_name: None }
    }
}

/// Settings that were read: clones are the same, all others are different, so that connections made
/// with a certificate from before a reload are not used after it.
#[derive(Clone)]
pub struct Tls(Arc<Settings>);

struct Settings {
    /// By what is offered inside.
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    both: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    /// Said beside an unknown issuer.
    no_roots: Option<&'static str>,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}

impl Hash for Tls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.server_name).finish()
    }
}

/// What is the same for all upstreams.
pub(super) struct Base {
    provider: Arc<CryptoProvider>,
    /// Authorities of the system.
    roots: Arc<RootCertStore>,
}

impl Base {
    /// Read the system's authorities.
    pub(super) fn read() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::with(roots)
    }

    pub(super) fn with(roots: RootCertStore) -> Self {
        Self { provider: Arc::new(aws_lc_rs::default_provider()), roots: Arc::new(roots) }
    }

    /// Read what the options name; the error names the file.
    pub(super) fn load(&self, options: &TlsOptions) -> Result<Tls, String> {
        let roots = match &options.ca {
            None => Arc::clone(&self.roots),
            Some(path) => Arc::new(read_roots(path)?),
        };
        let no_roots = (options.ca.is_none() && roots.is_empty())
            .then_some("; this system has no certificates of authorities");
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?;
        let builder = if options.verify {
            builder.with_root_certificates(roots)
        } else {
            let anyone = Arc::new(Anyone(Arc::clone(&self.provider)));
            builder.dangerous().with_custom_certificate_verifier(anyone)
        };
        let config = match &options.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let (certificates, key_der) = (read_chain(chain)?, read_key(key)?);
                builder
                    .with_client_auth_cert(certificates, key_der)
                    .map_err(|error| format!("{}: {error}", key.display()))?
            }
        };
        let server_name = match &options.server_name {
            None => None,
            Some(name) => Some(
                ServerName::try_from(name.clone())
                    .map_err(|_| format!("not a name for TLS: {name}"))?,
            ),
        };
        // They share the sessions that can be resumed.
        let offering = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Tls(Arc::new(Settings {
            http1: offering(&[b"http/1.1"]),
            http2: offering(&[b"h2"]),
            both: offering(&[b"h2", b"http/1.1"]),
            server_name,
            no_roots,
        })))
    }
}

impl Tls {
    /// Shake hands; whether HTTP/2 was agreed on.
    pub(super) async fn shake(
        &self,
        stream: TcpStream,
        host: &str,
        protocol: Protocol,
        may_http2: bool,
    ) -> Result<(TlsStream<TcpStream>, bool), Failure> {
        let failed = |cause| Failure::new(Phase::Handshake, cause);
        let settings = &self.0;
        let name = match &settings.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.trim_end_matches('.').to_owned())
                .map_err(|_| failed(Cause::Invalid("the host is no name for TLS")))?,
        };
        let config = match protocol {
            Protocol::Http2 => &settings.http2,
            Protocol::Any if may_http2 => &settings.both,
            Protocol::Any => &settings.http1,
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector.connect(name, stream).await;
        let stream = stream.map_err(|error| failed(self.cause(error)))?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if protocol == Protocol::Http2 && !is_http2 {
            return Err(failed(Cause::Invalid("it does not offer HTTP/2 (ALPN)")));
        }
        Ok((stream, is_http2))
    }

    fn cause(&self, error: io::Error) -> Cause {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Cause::Closed;
        }
        let Some(mut text) = words::of_tls(&error) else { return Cause::Io(error) };
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        if inner == Some(&unknown) {
            text.push_str(self.0.no_roots.unwrap_or_default());
        }
        Cause::Other(text)
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let at = |error: io::Error| format!("{}: {}", path.display(), Cause::Io(error));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(at)?;
    file.take(MAX_PEM_BYTES + 1).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() as u64 > MAX_PEM_BYTES {
        return Err(format!("{}: larger than {MAX_PEM_BYTES} bytes", path.display()));
    }
    Ok(bytes)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read_file(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Err(error) => Err(format!("{}: not valid PEM: {error}", path.display())),
        Ok(none) if none.is_empty() => {
            Err(format!("{}: no certificate in it (PEM, from BEGIN CERTIFICATE)", path.display()))
        }
        Ok(certificates) => Ok(certificates),
    }
}

fn read_roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(path)? {
        let added = roots.add(certificate);
        added.map_err(|error| format!("{}: a certificate in it: {error}", path.display()))?;
    }
    Ok(roots)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let key = PrivateKeyDer::from_pem_slice(&read_file(path)?);
    key.map_err(|_| format!("{}: no private key in it (PEM, without a password)", path.display()))
}

/// Takes any certificate: what is sent is hidden from who listens, but not from who stands in
/// between.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
