//! `/metrics`: the text format of Prometheus, version 0.0.4, from one table of metrics.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use zeroserve_proxy::pools::{PoolState, Standing};
use zeroserve_proxy::{Counts, LATENCY_BOUNDS_NS as UPSTREAM_BOUNDS_NS, pools};

use crate::site::Site;
use crate::state::State;
use crate::stats::{Counter, LATENCY_BOUNDS_NS, WorkerStats};
use crate::status::seconds;

/// Content-Type of the format.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Statuses by their first digit.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// One row of the table.
pub struct Metric {
    /// Its unit last, and `_total` when it only grows.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// One line.
    pub help: &'static str,
    write: fn(&Facts<'_>, &mut Samples<'_>),
}

/// What the values are made of.
pub struct Facts<'a> {
    /// The server.
    pub state: &'a State,
    /// Processor time of the process.
    pub cpu_s: f64,
    /// Memory of the process that is not swapped out; `None` where the system does not tell.
    pub resident_bytes: Option<u64>,
    /// Pools by their site, which those of the process have none of.
    pub pools: Vec<(Option<String>, PoolState)>,
    /// Upstreams that no pool has, by their names.
    pub lone: Vec<(String, Counts)>,
}

impl Facts<'_> {
    fn sum(&self, of: impl Fn(&WorkerStats) -> &Counter) -> f64 {
        self.state.sum(of) as f64
    }

    fn cache(&self) -> zeroserve_proxy::cache::Stats {
        self.state.cache.as_ref().map(|cache| cache.stats()).unwrap_or_default()
    }
}

macro_rules! metrics {
    ($($kind:ident $name:ident: $help:literal, $write:expr;)*) => {
        /// The table, in the order of the page.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: stringify!($name),
            kind: stringify!($kind),
            help: $help,
            write: $write,
        }),*];
    };
}

metrics! {
    gauge zeroserve_build_info: "Always 1; the label tells the version.",
        |_, out| out.value(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    counter zeroserve_requests_total: "Requests answered, by site (none when refused before one was chosen) and the first digit of the status.",
        |facts, out| {
            let mut all = [0; 4];
            for site in facts.state.sites() {
                for (class, count) in site.responses().into_iter().enumerate() {
                    all[class] += count;
                    out.of_site(&site, &[("status", CLASSES[class])], count as f64);
                }
            }
            // Refused by their form, or for a host that has no site.
            for (class, known) in all.into_iter().enumerate() {
                let count = facts.state.sum(|stats| &stats.responses[class]).saturating_sub(known);
                out.value(&[("site", ""), ("status", CLASSES[class])], count as f64);
            }
        };
    counter zeroserve_protocol_requests_total: "Requests answered, by version of HTTP: h1 or h2.",
        |facts, out| {
            let h2 = facts.sum(|stats| &stats.requests_h2);
            out.value(&[("protocol", "h1")], (facts.sum(|stats| &stats.requests) - h2).max(0.0));
            out.value(&[("protocol", "h2")], h2);
        };
    counter zeroserve_sent_bytes_total: "Bytes of responses handed to the system, heads included.",
        |facts, out| out.value(&[], facts.sum(|stats| &stats.bytes_sent));
    histogram zeroserve_request_duration_seconds:
        "Time from when a worker was free for a request to the send that took the end of its answer.",
        |facts, out| {
            let mut count = 0;
            for (class, bound_ns) in LATENCY_BOUNDS_NS.iter().enumerate() {
                count += facts.state.sum(|stats| &stats.latency.classes[class]);
                let bound = (*bound_ns as f64 / 1e9).to_string();
                out.part("_bucket", &[("le", &bound)], count as f64);
            }
            count += facts.state.sum(|stats| &stats.latency.classes[LATENCY_BOUNDS_NS.len()]);
            out.part("_bucket", &[("le", "+Inf")], count as f64);
            out.part("_sum", &[], facts.sum(|stats| &stats.latency.sum_ns) / 1e9);
            out.part("_count", &[], count as f64);
        };
    gauge zeroserve_connections: "Connections open now.",
        |facts, out| out.value(&[], facts.sum(|stats| &stats.connections_open));
    counter zeroserve_connections_accepted_total: "Connections accepted.",
        |facts, out| out.value(&[], facts.sum(|stats| &stats.connections_accepted));
    counter zeroserve_tls_handshakes_total: "TLS handshakes finished, by version and whether a session was resumed.",
        |facts, out| {
            let value = |out: &mut Samples<'_>, version, resumed, n| {
                out.value(&[("version", version), ("resumed", resumed)], n);
            };
            value(out, "1.2", "false", facts.sum(|stats| &stats.tls12.full));
            value(out, "1.2", "true", facts.sum(|stats| &stats.tls12.resumed));
            value(out, "1.3", "false", facts.sum(|stats| &stats.tls13.full));
            value(out, "1.3", "true", facts.sum(|stats| &stats.tls13.resumed));
        };
    counter zeroserve_tls_handshake_failures_total: "TLS handshakes that came to nothing.",
        |facts, out| out.value(&[], facts.sum(|stats| &stats.tls_failures));
    gauge zeroserve_certificate_expiry_timestamp_seconds: "When a certificate in use ends, since 1970, by its names.",
        |facts, out| for info in facts.state.certificates() {
            let (names, path) = (info.names.join(","), info.path.display().to_string());
            out.value(&[("names", &names), ("path", &path)], info.not_after_s as f64);
        };
    counter zeroserve_script_runs_total: "Functions of scripts that were run.",
        |facts, out| out.value(&[], facts.sum(|stats| &stats.script_runs));
    counter zeroserve_script_traps_total: "Requests whose scripts were stopped, answered 500.",
        |facts, out| out.value(&[], facts.sum(|stats| &stats.script_traps));
    gauge zeroserve_generation: "Generation of the site that is in force, counted from 1.",
        |facts, out| out.of_sites(facts, |site| site.number() as f64);
    gauge zeroserve_generation_loaded_timestamp_seconds: "When the generation in force was opened, since 1970.",
        |facts, out| out.of_sites(facts, |site| seconds(site.current().loaded_at));
    gauge zeroserve_generations_kept: "Earlier generations that roll back can go to.",
        |facts, out| out.of_sites(facts, |site| site.kept().len() as f64);
    gauge zeroserve_entries: "Entries of the generation in force.",
        |facts, out| out.of_sites(facts, |site| site.current().archive.index().len() as f64);
    counter zeroserve_reloads_total: "Reloads of the site, by outcome: ok or failed.",
        |facts, out| for site in facts.state.sites() {
            let (ok, failed) = (&site.reloads_ok, &site.reloads_failed);
            out.of_site(&site, &[("outcome", "ok")], ok.load(Ordering::Relaxed) as f64);
            out.of_site(&site, &[("outcome", "failed")], failed.load(Ordering::Relaxed) as f64);
        };
    counter zeroserve_rollbacks_total: "Times that an earlier generation was put in force again.",
        |facts, out| out.of_sites(facts, |site| site.rollbacks.load(Ordering::Relaxed) as f64);
    counter zeroserve_log_lines_dropped_total: "Lines of the access log that were dropped because its writer fell behind.",
        |facts, out| out.value(&[], facts.sum(|stats| &stats.log_lines_dropped));
    counter zeroserve_cache_requests_total: "Requests that scripts let the cache of upstreams answer, by outcome: hit, stale, miss or bypass.",
        |facts, out| {
            let stats = facts.cache();
            out.value(&[("outcome", "hit")], stats.hits as f64);
            out.value(&[("outcome", "stale")], stats.stale as f64);
            out.value(&[("outcome", "miss")], stats.misses as f64);
            out.value(&[("outcome", "bypass")], stats.bypassed as f64);
        };
    counter zeroserve_cache_waits_total: "Times that a request waited for the answer to another one instead of asking the upstream.",
        |facts, out| out.value(&[], facts.cache().waited as f64);
    counter zeroserve_cache_responses_total: "Answers of upstreams to requests that the cache had no answer to, by outcome: stored, refused or revalidated.",
        |facts, out| {
            let stats = facts.cache();
            out.value(&[("outcome", "stored")], stats.stored as f64);
            out.value(&[("outcome", "refused")], stats.refused as f64);
            out.value(&[("outcome", "revalidated")], stats.revalidated as f64);
        };
    counter zeroserve_cache_evictions_total: "Targets whose stored answers made room for others.",
        |facts, out| out.value(&[], facts.cache().evicted as f64);
    gauge zeroserve_cache_targets: "Targets with stored answers.",
        |facts, out| out.value(&[], facts.cache().keys as f64);
    gauge zeroserve_cache_bytes: "Memory of stored answers and of those on their way, in bytes.",
        |facts, out| {
            let stats = facts.cache();
            out.value(&[], (stats.bytes + stats.recording_bytes) as f64);
        };
    gauge zeroserve_cache_budget_bytes: "Memory that they may take, in bytes.",
        |facts, out| out.value(&[], facts.cache().budget_bytes as f64);
    gauge zeroserve_draining: "1 while no new connections are taken and those open are finished, else 0.",
        |facts, out| out.value(&[], f64::from(u8::from(facts.state.is_draining())));
    counter zeroserve_worker_requests_total: "Requests answered, by worker.",
        |facts, out| out.of_workers(facts, |stats| &stats.requests);
    counter zeroserve_worker_connections_accepted_total: "Connections accepted, by worker.",
        |facts, out| out.of_workers(facts, |stats| &stats.connections_accepted);
    gauge zeroserve_worker_connections: "Connections open now, by worker.",
        |facts, out| out.of_workers(facts, |stats| &stats.connections_open);
    gauge zeroserve_upstream_up: "1 when the upstream of a pool is asked, 0 while it is ejected or down.",
        |facts, out| out.of_upstreams(facts, |upstream| {
            f64::from(u8::from(matches!(upstream.standing, Standing::Up | Standing::Probation)))
        });
    gauge zeroserve_upstream_requests: "Requests under way at an upstream of a pool.",
        |facts, out| out.of_upstreams(facts, |upstream| f64::from(upstream.in_flight));
    counter zeroserve_upstream_requests_total: "Requests that an upstream has answered, or failed to; pool is empty for those that are asked by their URL.",
        |facts, out| for (labels, counts) in counts(facts) {
            out.value(&labels, counts.requests as f64);
        };
    counter zeroserve_upstream_failures_total: "Requests that an upstream has failed, by how far they had come.",
        |facts, out| for (labels, counts) in counts(facts) {
            for (phase, count) in &counts.failures {
                out.value(&[labels[0], labels[1], labels[2], ("phase", phase)], *count as f64);
            }
        };
    counter zeroserve_upstream_retries_total: "Requests that came to an upstream of a pool after another one had failed.",
        |facts, out| out.of_upstreams(facts, |upstream| upstream.retries as f64);
    counter zeroserve_upstream_ejections_total: "Times that an upstream of a pool was taken out because requests failed.",
        |facts, out| out.of_upstreams(facts, |upstream| upstream.ejections as f64);
    counter zeroserve_upstream_checks_failed_total: "Questions about health that an upstream of a pool did not answer well.",
        |facts, out| out.of_upstreams(facts, |upstream| upstream.checks_failed as f64);
    histogram zeroserve_upstream_first_byte_seconds: "Time until the head of an answer of an upstream.",
        |facts, out| for (labels, counts) in counts(facts) {
            let mut count = 0;
            let bounds = UPSTREAM_BOUNDS_NS.iter().map(|ns| (*ns as f64 / 1e9).to_string());
            let bounds = bounds.chain(["+Inf".to_owned()]);
            for (bound, more) in bounds.zip(&counts.latency) {
                count += more;
                let labels = [labels[0], labels[1], labels[2], ("le", &*bound)];
                out.part("_bucket", &labels, count as f64);
            }
            out.part("_sum", &labels, counts.latency_sum_ns as f64 / 1e9);
            out.part("_count", &labels, count as f64);
        };
    gauge zeroserve_pool_waiting: "Requests that wait for a place at an upstream of a pool.",
        |facts, out| out.of_pools(facts, |pool| pool.waiting as f64);
    gauge zeroserve_pool_breaker_open: "1 while the circuit breaker of a pool refuses requests, else 0.",
        |facts, out| out.of_pools(facts, |pool| f64::from(u8::from(pool.breaker_open)));
    gauge process_start_time_seconds: "When the server started, since 1970.",
        |facts, out| out.value(&[], seconds(facts.state.started));
    counter process_cpu_seconds_total: "Processor time of the process.",
        |facts, out| out.value(&[], facts.cpu_s);
    gauge process_resident_memory_bytes: "Memory of the process that is not swapped out.",
        |facts, out| if let Some(bytes) = facts.resident_bytes {
            out.value(&[], bytes as f64);
        };
}

type Labels<'a> = [(&'static str, &'a str); 3];

/// The upstreams of all pools, with their labels.
fn upstreams<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (Labels<'a>, &'a pools::State)> {
    facts.pools.iter().flat_map(|(site, pool)| {
        let site = site.as_deref().unwrap_or_default();
        pool.upstreams.iter().map(move |upstream| {
            let url = ("upstream", upstream.url.as_str());
            ([("site", site), ("pool", pool.name.as_str()), url], upstream)
        })
    })
}

/// What became of requests to all upstreams, with their labels.
fn counts<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (Labels<'a>, &'a Counts)> {
    let lone = facts
        .lone
        .iter()
        .map(|(name, counts)| ([("site", ""), ("pool", ""), ("upstream", name.as_str())], counts));
    upstreams(facts).map(|(labels, upstream)| (labels, &upstream.counts)).chain(lone)
}

/// All metrics.
pub fn page(facts: &Facts<'_>) -> String {
    let mut text = String::with_capacity(16 * 1024);
    for metric in METRICS {
        let Metric { name, kind, help, write } = metric;
        // Writing to a string can't fail, here and below.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        write(facts, &mut Samples { name, text: &mut text });
    }
    text
}

/// The samples of one metric.
struct Samples<'a> {
    name: &'static str,
    text: &'a mut String,
}

impl Samples<'_> {
    fn value(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", None, labels, value);
    }

    fn of_site(&mut self, site: &Site, labels: &[(&str, &str)], value: f64) {
        self.line("", Some(&site.name), labels, value);
    }

    fn of_sites(&mut self, facts: &Facts<'_>, of: fn(&Site) -> f64) {
        for site in facts.state.sites() {
            self.of_site(&site, &[], of(&site));
        }
    }

    fn of_upstreams(&mut self, facts: &Facts<'_>, of: fn(&pools::State) -> f64) {
        for (labels, upstream) in upstreams(facts) {
            self.value(&labels, of(upstream));
        }
    }

    fn of_pools(&mut self, facts: &Facts<'_>, of: fn(&PoolState) -> f64) {
        for (site, pool) in &facts.pools {
            let site = site.as_deref().unwrap_or_default();
            self.value(&[("site", site), ("pool", &pool.name)], of(pool));
        }
    }

    /// A part of a histogram.
    fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.line(suffix, None, labels, value);
    }

    fn of_workers(&mut self, facts: &Facts<'_>, of: fn(&WorkerStats) -> &Counter) {
        for (number, stats) in facts.state.stats.iter().enumerate() {
            self.value(&[("worker", &number.to_string())], of(stats).get() as f64);
        }
    }

    fn line(&mut self, suffix: &str, site: Option<&str>, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        let mut open = '{';
        for (name, label) in site.map(|site| ("site", site)).iter().chain(labels) {
            let _ = write!(self.text, "{open}{name}=\"");
            escape(label, self.text);
            self.text.push('"');
            open = ',';
        }
        if open == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

fn escape(label: &str, out: &mut String) {
    for letter in label.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        for (at, metric) in METRICS.iter().enumerate() {
            let Metric { name, kind, help, .. } = metric;
            assert_eq!(name.ends_with("_total"), *kind == "counter", "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}");
            assert!(METRICS[..at].iter().all(|other| other.name != *name), "{name}");
        }
    }

    #[test]
    fn labels_cannot_end_their_quotes() {
        let mut text = String::new();
        let mut samples = Samples { name: "n", text: &mut text };
        samples.line("", Some("a\"b\\c\nd"), &[("le", "+Inf")], 1.5);
        samples.value(&[], 2.0);
        assert_eq!(text, "n{site=\"a\\\"b\\\\c\\nd\",le=\"+Inf\"} 1.5\nn 2\n");
    }
}
