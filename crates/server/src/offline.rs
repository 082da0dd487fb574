//! The same pipeline without sockets: for tests of sites.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use crate::connection::exchange;
use crate::limits::Limits;
use crate::record::{Record, SharedRecord};
use crate::site::Site;
use crate::sites::Sites;
use crate::stats::WorkerStats;
use crate::worker::Worker;

/// Bytes in as a client would send them, bytes out as it would receive them.
pub fn converse(site: Arc<Site>, request: Vec<u8>) -> io::Result<Vec<u8>> {
    run(site, request, None)
}

/// The same for one request, and what became of it and why. The site has to be opened anew for
/// it: what it has in its cache already is not recorded. Source lines come from the interpreter.
pub fn explain(site: Arc<Site>, request: Vec<u8>, lines: bool) -> io::Result<(Vec<u8>, Value)> {
    let record = Rc::new(RefCell::new(Record::new(lines)));
    let answer = run(site, request, Some(Rc::clone(&record)))?;
    let record = record.borrow().to_json();
    Ok((answer, record))
}

fn run(site: Arc<Site>, request: Vec<u8>, record: Option<SharedRecord>) -> io::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build_local(Default::default())?;
    let stats = Arc::new(WorkerStats::default());
    let mut worker = Worker::new(Arc::new(Sites::single(site)), Limits::default(), stats, None);
    worker.record = record;
    runtime.block_on(exchange(Rc::new(worker), request))
}
