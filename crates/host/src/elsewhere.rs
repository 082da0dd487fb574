//! For a driver that runs scripts elsewhere than in the engine: to see a request as a whole, and to
//! leave in it what scripts made of it. Who calls this has checked what scripts said.

use crate::exchange::{Answer, Body, Exchange, Incoming, Tls};

/// Names and values of header fields.
pub type Rows = Vec<(String, Vec<u8>)>;

/// What is not known is empty.
fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl Exchange {
    /// The request without its header fields, as scripts have it by now.
    pub fn incoming(&self) -> Incoming<'_> {
        let (request, tls) = (&self.request, &self.tls);
        Incoming {
            method: &request.method,
            target: &request.target,
            scheme: request.scheme,
            peer: &request.peer,
            version: request.version,
            tls: tls.is_there.then(|| Tls {
                handshake_complete: tls.handshake_complete,
                alpn: known(&tls.alpn),
                sni_inner: known(&tls.sni_inner),
                sni_outer: known(&tls.sni_outer),
                ech: tls.ech,
                ja4: known(&tls.ja4),
            }),
        }
    }

    /// Address and port of who connected; empty and 0 for a Unix socket.
    pub fn peer(&self) -> (String, u16) {
        let ip = self.request.peer_ip().map(|ip| ip.to_string()).unwrap_or_default();
        let port = self.request.peer.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        (ip, port.unwrap_or(0))
    }

    /// Address of the client; empty for a Unix socket.
    pub fn client_ip(&self) -> String {
        let ip = self.client_ip.or_else(|| self.request.peer_ip());
        ip.map(|ip| ip.to_string()).unwrap_or_default()
    }

    /// What is known of the body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The request as scripts changed it; `None` leaves the header fields.
    pub fn change_request(&mut self, method: &str, target: &str, headers: Option<Rows>) {
        let request = &mut self.request;
        request.method_changed |= request.method != method;
        method.clone_into(&mut request.method);
        request.target_changed |= request.target != target;
        target.clone_into(&mut request.target);
        if let Some(rows) = headers {
            request.headers.replace(&rows);
        }
    }

    /// All metadata.
    pub fn replace_meta(&mut self, meta: Vec<(String, String)>) {
        self.meta_bytes = meta.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.meta = meta.into_iter().collect();
    }

    /// The answer, and header fields of its own.
    pub fn decide(&mut self, answer: Answer, headers: Rows) {
        self.python.answer.replace(&headers);
        self.answer = Some(answer);
    }

    /// The response as hooks changed it; `None` leaves the header fields.
    pub fn change_response(&mut self, status: u16, headers: Option<Rows>, file: Option<Vec<u8>>) {
        if let Some(response) = self.response_mut() {
            response.status = status;
            response.file = file;
            if let Some(rows) = headers {
                response.headers.replace(&rows);
            }
        }
    }
}
