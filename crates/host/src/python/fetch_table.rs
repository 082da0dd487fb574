//! Rows for what scripts in Python ask other servers.

use crate::python::fetch;
use crate::row::{Row, python_rows};

/// Helpers of compiled Python for requests of its own.
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
};
