//! TLS: certificates, the settings of all sessions, and the handshake.
//!
//! One configuration serves all workers and is swapped as a whole when certificates change, so
//! that a client can resume its session with whichever worker it comes to. Sessions that are open
//! keep the certificate that they began with.

pub mod certificates;
pub mod dev;
pub mod handshake;
pub mod hello;
pub mod stream;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use certificates::Certificates;
pub use certificates::{Info, Sources};
pub use hello::Hello;
pub use stream::TlsStream;

/// Whether clients show certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// The authorities that they have to be signed by, PEM.
    pub authorities: PathBuf,
    /// Whether a client without one is refused.
    pub require: bool,
}

/// How connections are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Certificates and keys.
    pub sources: Sources,
    /// Certificates of clients.
    pub client_auth: Option<ClientAuth>,
}

/// The settings in force, for all workers.
pub struct Tls {
    options: Options,
    provider: Arc<CryptoProvider>,
    config: ArcSwap<ServerConfig>,
    read: Mutex<Read>,
}

/// What was read last.
struct Read {
    certificates: Arc<Certificates>,
    /// Files of the directory that are not in use, and why.
    left_out: Vec<String>,
    /// PEM.
    authorities: Vec<u8>,
    ticketer: Arc<dyn ProducesTickets>,
}

impl Tls {
    /// Read what the options name.
    pub fn new(options: Options) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (config, read) = configure(&options, &provider, None)?;
        let config = ArcSwap::from_pointee(config);
        Ok(Self { options, provider, config, read: Mutex::new(read) })
    }

    /// Read everything anew; when that fails, what is in force goes on.
    pub fn reload(&self) -> Result<(), String> {
        // Held all the time: of two reloads, the one that read last is in force.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (config, new) = configure(&self.options, &self.provider, Some(&read))?;
        self.config.store(Arc::new(config));
        *read = new;
        Ok(())
    }

    /// The settings for the next session.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Certificates in use.
    pub fn certificates(&self) -> Vec<Info> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.certificates.infos().cloned().collect()
    }

    /// Files of the directory that are not in use, and why.
    pub fn left_out(&self) -> Vec<String> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).left_out.clone()
    }
}

fn configure(
    options: &Options,
    provider: &Arc<CryptoProvider>,
    before: Option<&Read>,
) -> Result<(ServerConfig, Read), String> {
    let known = before.map(|read| &*read.certificates);
    let (certificates, left_out) = Certificates::load(&options.sources, known)?;
    let certificates = Arc::new(certificates);
    let mut authorities = Vec::new();
    let wrong = |error: rustls::Error| format!("TLS: {error}");
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    let builder = match &options.client_auth {
        None => builder.with_no_client_auth(),
        Some(auth) => {
            authorities = certificates::read_file(&auth.authorities)?;
            let roots = Arc::new(parse_authorities(&auth.authorities, &authorities)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
            let verifier = if auth.require { verifier } else { verifier.allow_unauthenticated() };
            let verifier = verifier
                .build()
                .map_err(|error| format!("{}: {error}", auth.authorities.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    // One for all workers, or a client would resume with one of them only; its key changes every
    // six hours. A client that resumes shows no certificate: what other authorities let in has to
    // come anew.
    let ticketer = match before {
        Some(read) if read.authorities == authorities => Arc::clone(&read.ticketer),
        _ => aws_lc_rs::Ticketer::new()
            .map_err(|error| format!("no key for session tickets: {error}"))?,
    };
    let mut config = builder.with_cert_resolver(Arc::clone(&certificates) as _);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Arc::clone(&ticketer);
    // Tickets hold the state; a store would be one more thing for workers to share.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok((config, Read { certificates, left_out, authorities, ticketer }))
}

fn parse_authorities(path: &std::path::Path, bytes: &[u8]) -> Result<RootCertStore, String> {
    let at = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bytes) {
        let certificate = certificate.map_err(|error| at(&format!("not valid PEM: {error}")))?;
        roots.add(certificate).map_err(|error| at(&format!("a certificate in it: {error}")))?;
    }
    if roots.is_empty() {
        return Err(at(&"no certificate in it (PEM, from BEGIN CERTIFICATE)"));
    }
    Ok(roots)
}
