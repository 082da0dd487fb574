//! The same pipeline without sockets: for tests of sites.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use crate::connection::exchange;
use crate::limits::Limits;
use crate::oracle::Oracle;
use crate::site::Site;
use crate::sites::Sites;
use crate::stats::WorkerStats;
use crate::worker::Worker;

/// Bytes in as a client would send them, bytes out as it would receive them.
pub fn converse(site: Arc<Site>, request: Vec<u8>) -> io::Result<Vec<u8>> {
    run(site, request, None)
}

/// The same with scripts that run elsewhere.
pub fn consult(site: Arc<Site>, request: Vec<u8>, oracle: Rc<dyn Oracle>) -> io::Result<Vec<u8>> {
    run(site, request, Some(oracle))
}

fn run(site: Arc<Site>, request: Vec<u8>, oracle: Option<Rc<dyn Oracle>>) -> io::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build_local(Default::default())?;
    let stats = Arc::new(WorkerStats::default());
    let mut worker = Worker::new(Arc::new(Sites::single(site)), Limits::default(), stats, None);
    worker.oracle = oracle;
    runtime.block_on(exchange(Rc::new(worker), request))
}
