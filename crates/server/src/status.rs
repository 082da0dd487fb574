//! The state of a server as JSON: all that there is to know, or what changes every second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use zeroserve_archive::Problem;
use zeroserve_proxy::pools::{PoolState, State as Upstream};

use crate::site::{Generation, Site};
use crate::state::State;
use crate::stats::{LATENCY_BOUNDS_NS, WorkerStats};
use crate::tls::Info;

/// Most warnings that are told; `zeroserve check` tells all.
const MAX_WARNINGS: usize = 100;

/// What `/status` answers.
pub fn status(state: &State) -> Value {
    let worker = |(number, stats): (usize, &Arc<WorkerStats>)| {
        json!({
            "number": number,
            "requests": stats.requests.get(),
            "connections": stats.connections_open.get(),
            "accepted": stats.connections_accepted.get(),
        })
    };
    let workers: Vec<_> = state.stats.iter().enumerate().map(worker).collect();
    let listeners: Vec<_> = state.urls.iter().map(|url| json!({ "url": url })).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "started_at": seconds(state.started),
        "uptime_s": state.started.elapsed().unwrap_or_default().as_secs_f64(),
        "draining": state.is_draining(),
        "listeners": listeners,
        "workers": workers,
        "sites": state.sites().iter().map(|one| site(one)).collect::<Vec<_>>(),
        "pools": pools(state),
        "certificates": certificates(state),
        "warnings": warnings(state),
    })
}

/// What `/live` answers: plain counters, from which two answers make rates.
pub fn live(state: &State) -> Value {
    let classes = (0..=LATENCY_BOUNDS_NS.len())
        .map(|class| state.sum(|stats| &stats.latency.classes[class]))
        .collect::<Vec<_>>();
    let bounds: Vec<_> = LATENCY_BOUNDS_NS.iter().map(|ns| *ns as f64 / 1e9).collect();
    let responses: Vec<_> =
        (0..4).map(|class| state.sum(|stats| &stats.responses[class])).collect();
    let sites = state.sites();
    let failed = sites.iter().map(|site| site.reloads_failed.load(Ordering::Relaxed));
    let generations: BTreeMap<_, _> =
        sites.iter().map(|site| (site.name.as_str(), site.number())).collect();
    json!({
        "at": seconds(SystemTime::now()),
        "draining": state.is_draining(),
        "requests": state.sum(|stats| &stats.requests),
        "responses": responses,
        "bytes_sent": state.sum(|stats| &stats.bytes_sent),
        "connections": state.sum(|stats| &stats.connections_open),
        "accepted": state.sum(|stats| &stats.connections_accepted),
        "latency": { "bounds_s": bounds, "counts": classes },
        "script_traps": state.sum(|stats| &stats.script_traps),
        "generations": generations,
        "upstreams": upstreams(state),
        "reloads_failed": failed.sum::<u64>(),
    })
}

/// The word for the state of each upstream, so that the page knows when one has changed.
fn upstreams(state: &State) -> String {
    let states = crate::pools::states(&state.sites);
    let upstreams = states.iter().flat_map(|(_, pool)| &pool.upstreams);
    upstreams.map(|one| one.standing.name()).collect::<Vec<_>>().join(" ")
}

fn site(site: &Site) -> Value {
    let current = site.current();
    let mut generations = vec![generation(&current, true)];
    // The latest first, as people look for them.
    generations.extend(site.kept().iter().rev().map(|kept| generation(kept, false)));
    json!({
        "name": site.name,
        "path": site.path().display().to_string(),
        "generation": current.number,
        "generations": generations,
        "reloads_ok": site.reloads_ok.load(Ordering::Relaxed),
        "reloads_failed": site.reloads_failed.load(Ordering::Relaxed),
        "rollbacks": site.rollbacks.load(Ordering::Relaxed),
    })
}

fn generation(generation: &Generation, in_force: bool) -> Value {
    let archive = &generation.archive;
    // A directory has no size of its own, and adding up its files would take long.
    let bytes = (!archive.is_directory()).then(|| archive.own_stamp().size);
    let scripts = generation.scripts.as_ref().map_or(&[][..], |scripts| &scripts.list);
    let scripts: Vec<_> = scripts.iter().map(|script| script.name.as_str()).collect();
    json!({
        "number": generation.number,
        "in_force": in_force,
        "loaded_at": seconds(generation.loaded_at),
        "kind": if archive.is_directory() { "directory" } else { "archive" },
        "entries": archive.index().len(),
        "bytes": bytes,
        "scripts": scripts,
    })
}

fn pools(state: &State) -> Vec<Value> {
    let states = crate::pools::states(&state.sites);
    states.iter().map(|(site, state)| pool(site.as_deref(), state)).collect()
}

fn pool(site: Option<&str>, state: &PoolState) -> Value {
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let upstream = |one: &Upstream| {
        let failures: BTreeMap<_, _> = one.counts.failures.iter().copied().collect();
        let answers = one.counts.latency.iter().sum::<u64>();
        let mean_s = (answers > 0).then(|| one.counts.latency_sum_ns as f64 / answers as f64 / 1e9);
        let error = (!one.last_error.is_empty())
            .then(|| json!({ "message": one.last_error, "age_s": seconds(one.last_error_ms) }));
        json!({
            "url": one.url,
            "weight": one.weight,
            "backup": one.backup,
            "state": one.standing.name(),
            "down_s": one.down_ms.map(seconds),
            "ejected_s": one.ejected_ms.map(seconds),
            "last_error": error,
            "in_flight": one.in_flight,
            "max_connections": one.max_connections,
            "requests": one.counts.requests,
            "failures": failures,
            "retries": one.retries,
            "ejections": one.ejections,
            "checks_failed": one.checks_failed,
            "mean_first_byte_s": mean_s,
        })
    };
    json!({
        "name": state.name,
        "site": site,
        "breaker_open": state.breaker_open,
        "waiting": state.waiting,
        "upstreams": state.upstreams.iter().map(upstream).collect::<Vec<_>>(),
    })
}

fn certificates(state: &State) -> Vec<Value> {
    let row = |info: Info| {
        json!({
            "names": info.names,
            "expires_at": info.not_after_s,
            "begins_at": info.not_before_s,
            "source": info.path.display().to_string(),
            "default": info.default,
        })
    };
    state.certificates().into_iter().map(row).collect()
}

fn warnings(state: &State) -> Vec<Value> {
    let mut rows = Vec::new();
    for site in state.sites() {
        let current = site.current();
        let warnings = current.archive.warnings().iter().take(MAX_WARNINGS - rows.len());
        let row =
            |w: &Problem| json!({ "site": site.name, "entry": w.entry, "message": w.message });
        rows.extend(warnings.map(row));
    }
    rows
}

/// Seconds since 1970.
pub fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Milliseconds are all that anybody reads.
    (since.as_secs_f64() * 1000.0).round() / 1000.0
}
