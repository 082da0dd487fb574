//! The same pipeline without sockets: for tests of sites.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use crate::connection::exchange;
use crate::limits::Limits;
use crate::site::Site;
use crate::sites::Sites;
use crate::stats::WorkerStats;
use crate::worker::Worker;

/// Bytes in as a client would send them, bytes out as it would receive them.
pub fn converse(site: Arc<Site>, request: Vec<u8>) -> io::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build_local(Default::default())?;
    let stats = Arc::new(WorkerStats::default());
    let worker =
        Rc::new(Worker::new(Arc::new(Sites::single(site)), Limits::default(), stats, None));
    runtime.block_on(exchange(worker, request))
}
