//! Scripts in CPython: what the pipeline without sockets asks of `zeroserve.oracle`.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroserve_host::{Answer, Body, Exchange, Incoming, Rows};
use zeroserve_server::oracle::Oracle;

/// What the scripts decided: its kind, a status, a body, a type or a URL, header fields.
type Decision = (String, u16, Vec<u8>, String, Rows);

/// Method, target, and header fields if they were changed.
type Change = (String, String, Option<Rows>);

type Meta = Vec<(String, String)>;

/// Change, metadata, decision, the script that decided, and most bytes of the body.
type Requested = (Option<Change>, Meta, Option<Decision>, String, Option<u64>);

/// An object with the methods of `zeroserve.oracle.Conversation`.
pub(crate) struct Conversation {
    object: Py<PyAny>,
    sees_responses: bool,
    /// What the object raised; what scripts raise it keeps to itself.
    raised: Mutex<Option<PyErr>>,
}

impl Conversation {
    pub(crate) fn new(object: Bound<'_, PyAny>) -> PyResult<Self> {
        let sees_responses = object.getattr("sees_responses")?.extract()?;
        Ok(Self { object: object.unbind(), sees_responses, raised: Mutex::default() })
    }

    pub(crate) fn raised(&self) -> Option<PyErr> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Inner errors are scripts that were stopped.
    fn asked(
        &self,
        ask: impl FnOnce(Python<'_>, &Bound<'_, PyAny>) -> PyResult<Result<(), u16>>,
    ) -> Result<(), u16> {
        Python::attach(|py| ask(py, self.object.bind(py))).unwrap_or_else(|error| {
            *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            Err(500)
        })
    }
}

impl Oracle for Conversation {
    fn on_request(&self, exchange: &mut Exchange) -> Result<(), u16> {
        self.asked(|py, object| {
            let body = match exchange.body() {
                Body::Whole(body) => Some(PyBytes::new(py, body)),
                Body::Unread | Body::Missing => None,
            };
            let Incoming { method, target, scheme, version, tls, .. } = exchange.incoming();
            let tls = tls.map(|tls| (tls.sni_inner.or(tls.sni_outer), tls.alpn, tls.ja4));
            let fields = rows(py, exchange.headers().iter());
            let arguments = (
                method,
                target,
                fields,
                body,
                scheme,
                exchange.peer(),
                version,
                tls,
                exchange.client_ip(),
            );
            let result = object.call_method1("request", arguments)?;
            if let Ok(status) = result.extract() {
                return Ok(Err(status));
            }
            let (change, meta, decision, script, most): Requested = result.extract()?;
            if let Some(most) = most {
                exchange.limit_body(most);
            }
            if let Some((method, target, headers)) = change {
                exchange.change_request(&method, &target, headers);
            }
            exchange.replace_meta(meta);
            if let Some((kind, status, body, text, fields)) = decision {
                let answer = match kind.as_str() {
                    "respond" => Answer::Respond { status, body, content_type: of(&text) },
                    "proxy" => Answer::ReverseProxy { url: text, cache: false },
                    "listing" => Answer::Listing { path: body, as_json: status != 0 },
                    "file" => Answer::File { path: body, status },
                    "cached" => Answer::ReverseProxy { url: text, cache: true },
                    _ => Answer::Abort,
                };
                exchange.start(&script);
                exchange.decide(answer, fields);
            }
            Ok(Ok(()))
        })
    }

    fn on_response(&self, exchange: &mut Exchange) -> Result<(), u16> {
        self.asked(|py, object| {
            let Some(response) = exchange.response() else { return Ok(Ok(())) };
            let fields = rows(py, response.headers.iter());
            let arguments = (response.status, fields, response.upstream_error);
            let result = object.call_method1("response", arguments)?;
            if let Ok(status) = result.extract() {
                return Ok(Err(status));
            }
            type Changed = (u16, Option<Rows>, Meta, Option<Vec<u8>>);
            let (status, fields, meta, file): Changed = result.extract()?;
            exchange.change_response(status, fields, file);
            exchange.replace_meta(meta);
            Ok(Ok(()))
        })
    }

    fn sees_responses(&self) -> bool {
        self.sees_responses
    }
}

fn rows<'py, 'a>(
    py: Python<'py>,
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Vec<(&'a str, Bound<'py, PyBytes>)> {
    fields.map(|(name, value)| (name, PyBytes::new(py, value))).collect()
}

/// The type of an answer that was given none.
fn of(kind: &str) -> &'static str {
    match kind {
        "str" => "text/plain; charset=utf-8",
        "bytes" => "application/octet-stream",
        _ => "",
    }
}
