//! The same pipeline without sockets: for tests of sites, and to explain what becomes of a request.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use crate::connection::exchange;
use crate::limits::Limits;
use crate::oracle::Oracle;
use crate::record::Record;
use crate::sites::Sites;
use crate::stats::WorkerStats;
use crate::worker::Worker;

/// Bytes in as a client would send them, bytes out as it would receive them.
pub fn converse(sites: Arc<Sites>, request: Vec<u8>) -> io::Result<Vec<u8>> {
    run(sites, request, |_| {})
}

/// The same with scripts that run elsewhere.
pub fn consult(sites: Arc<Sites>, request: Vec<u8>, oracle: Rc<dyn Oracle>) -> io::Result<Vec<u8>> {
    run(sites, request, |worker| worker.oracle = Some(oracle))
}

/// The same for one request, and what became of it and why. The site has to be opened anew for
/// it: what it has in its cache already is not recorded. Source lines come from the interpreter.
pub fn explain(sites: Arc<Sites>, request: Vec<u8>, lines: bool) -> io::Result<(Vec<u8>, Value)> {
    let record = Rc::new(RefCell::new(Record::new(lines)));
    let kept = Rc::clone(&record);
    let answer = run(sites, request, |worker| worker.record = Some(kept))?;
    let record = record.borrow().to_json();
    Ok((answer, record))
}

fn run(
    sites: Arc<Sites>,
    request: Vec<u8>,
    prepare: impl FnOnce(&mut Worker),
) -> io::Result<Vec<u8>> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build_local(Default::default())?;
    let stats = Arc::new(WorkerStats::default());
    let mut worker = Worker::new(sites, Limits::default(), stats, None);
    prepare(&mut worker);
    let worker = Rc::new(worker);
    runtime.block_on(async {
        let keeper = Rc::clone(&worker);
        tokio::task::spawn_local(async move { keeper.keep_time().await });
        exchange(worker, request).await
    })
}
