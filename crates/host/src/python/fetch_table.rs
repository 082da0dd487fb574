//! Rows for what scripts in Python ask other servers, themselves or for a login.

use crate::python::{fetch, oidc};
use crate::row::{Row, python_rows};

/// By number; a row may be added at the end, but never removed, moved or given another meaning.
#[rustfmt::skip] // a table
pub static FETCH: &[Row] = python_rows! {
    1340 "zs_py_fetch_request", "method, url, out", 150, fetch::request,
    "A request to another server, not sent yet.";
    1341 "zs_py_fetch_header", "request, name, value", 80, fetch::header,
    "Add a header to it.";
    1342 "zs_py_fetch", "request, body, timeout_ms, out", 2000, fetch::fetch,
    "Send it, and wait for the answer.";
    1343 "zs_py_fetched_status", "answer", 30, fetch::status,
    "The status of an answer.";
    1344 "zs_py_fetched_header", "answer, name", 60, fetch::answer_header,
    "A header of an answer, or 0.";
    1345 "zs_py_fetched_body", "answer", 60, fetch::body,
    "The body of an answer.";
    1346 "zs_py_fetched_json", "answer, out", 400, fetch::json,
    "The body of an answer, read as JSON.";
    1347 "zs_py_fetched_header_list", "answer, name", 80, fetch::header_list,
    "The values of a header of an answer, one by one.";
    1348 "zs_py_oidc_begin_login", "config, return_to, out", 500, oidc::begin_login,
    "A redirect to a provider, where the visitor logs in.";
    1349 "zs_py_oidc_handle_callback", "config, out", 500, oidc::handle_callback,
    "A redirect with a session, for a visitor who comes back from there.";
    1350 "zs_py_oidc_session", "config, out", 500, oidc::claims,
    "The claims of a session, or None.";
    1351 "zs_py_oidc_logout", "config, end_session_url, out", 500, oidc::end_session,
    "A redirect that ends a session.";
};
