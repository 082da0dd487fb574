//! Who is at the other end of a connection, and by which listener and session they came.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

use crate::tls::Tls;

/// What the connections of one listener have in common.
#[derive(Default)]
pub struct Front {
    /// How its connections are encrypted, if they are.
    pub tls: Option<Arc<Tls>>,
    /// Requests are sent on to HTTPS at this port.
    pub https_port: Option<u16>,
    /// A whole header line for each response, such as Strict-Transport-Security.
    pub header: String,
    /// Whether browsers on this machine hear of changes.
    pub live: bool,
}

static PLAIN: LazyLock<Arc<Front>> = LazyLock::new(Arc::default);

/// What is known of an encrypted connection.
pub struct Session {
    /// Whether it is TLS 1.3, otherwise 1.2.
    pub tls13: bool,
    /// The server name that the client asked for.
    pub sni: Option<String>,
    /// The protocol that both sides agreed on.
    pub alpn: Option<String>,
    /// Fingerprint of the client's first message.
    pub ja4: String,
}

/// Who is at the other end.
pub struct Peer {
    /// The address, for the access log.
    pub ip: Box<str>,
    /// Address and port, for scripts; empty for a Unix socket.
    pub address: Box<str>,
    /// The listener.
    pub front: Arc<Front>,
    /// Whether it is a client on this machine that may hear of changes.
    pub is_live: bool,
    /// The encrypted session.
    pub session: Option<Box<Session>>,
}

impl Peer {
    /// Somebody who came over TCP.
    pub fn new(ip: IpAddr, port: u16) -> Self {
        let address = SocketAddr::new(ip, port).to_string().into();
        Self {
            ip: ip.to_string().into(),
            address,
            front: Arc::clone(&PLAIN),
            is_live: false,
            session: None,
        }
    }

    /// A process on this machine.
    pub fn unix() -> Self {
        Self {
            ip: "unix".into(),
            address: "".into(),
            front: Arc::clone(&PLAIN),
            is_live: false,
            session: None,
        }
    }

    /// By a listener.
    pub fn at(mut self, front: &Arc<Front>) -> Self {
        self.front = Arc::clone(front);
        let is_loopback = |ip: &str| ip.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        self.is_live = front.live && is_loopback(&self.ip);
        self
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.session.is_some() { "https" } else { "http" }
    }

    /// The session as scripts see it.
    pub fn tls(&self) -> Option<zeroserve_host::Tls<'_>> {
        let session = self.session.as_deref()?;
        Some(zeroserve_host::Tls {
            // Nothing is taken from a client before its handshake is over.
            handshake_complete: true,
            alpn: session.alpn.as_deref(),
            sni_inner: None,
            sni_outer: session.sni.as_deref(),
            ech: None,
            ja4: Some(session.ja4.as_str()).filter(|ja4| !ja4.is_empty()),
        })
    }
}
