//! Asking DNS: what the system says of name servers, and one question.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::time::{Duration, Instant};

use hickory_resolver::config::{
    LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, Resolver, TokioResolver, system_conf};

use super::words::first_lower;

/// How long an answer is waited for before it is asked for again: a lost packet must not take all
/// the time that there is to connect.
const MAX_TIMEOUT: Duration = Duration::from_secs(2);

/// Rounds of questions.
const MAX_ATTEMPTS: usize = 4;

/// How long an answer is believed: at least, since a question for each connection is one too many,
/// and at most.
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(3600);

/// The same for the answer that there is no such name: what is missing is often just being set up.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(30);

/// Addresses of one name that are used.
pub(super) const MAX_ADDRESSES: usize = 64;

/// What is known of DNS before anything is asked.
#[derive(Debug)]
pub(super) struct System {
    config: ResolverConfig,
    options: ResolverOpts,
    hosts: Hosts,
}

/// Addresses, and until when they are.
pub(super) struct Found {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) until: Instant,
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The name has a form that none has.
    NotAName,
    /// Nobody has that name.
    NoSuchName,
    /// It is a name of something else.
    NoAddress,
    /// Name servers did not answer in time.
    TimedOut,
    /// Something else.
    Other(String),
}

/// The same with the time for which that is believed.
pub(super) struct NotFound {
    pub(super) missing: Missing,
    pub(super) until: Instant,
}

impl System {
    /// Read the files that say who is asked, and what needs no asking.
    pub(super) fn read() -> Self {
        let hosts = Hosts::from_system().unwrap_or_default();
        // Without the file, the C library asks this machine.
        let (config, options) = system_conf::read_system_conf().unwrap_or_else(|_| {
            let here = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            (ResolverConfig::from_name_servers(vec![here]), ResolverOpts::default())
        });
        Self { config, options, hosts }
    }

    #[cfg(test)]
    pub(super) fn of_test(server: std::net::SocketAddr, timeout: Duration, hosts: &str) -> Self {
        let mut config = NameServerConfig::udp(server.ip());
        config.connections[0].port = server.port();
        let mut options = ResolverOpts::default();
        (options.timeout, options.attempts) = (timeout, 1);
        let mut known = Hosts::default();
        known.read_hosts_conf(hosts.as_bytes()).unwrap();
        Self { config: ResolverConfig::from_name_servers(vec![config]), options, hosts: known }
    }

    /// Who asks. It belongs to the event loop of the thread: that is where its tasks run.
    pub(super) fn resolver(&self) -> Result<TokioResolver, NetError> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = Resolver::builder_with_config(self.config.clone(), provider);
        let options = builder.options_mut();
        *options = self.options.clone();
        options.timeout = options.timeout.min(MAX_TIMEOUT);
        options.attempts = options.attempts.min(MAX_ATTEMPTS);
        // Answers are kept here, where all workers find them.
        options.cache_size = 0;
        // Of two failures the first is told, and most names have addresses of this family.
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        builder.build()
    }

    /// What the file of hosts says. A name that stands there is not asked for, not even for its
    /// addresses of the other family.
    pub(super) fn known(&self, host: &str) -> Option<Vec<IpAddr>> {
        let name = Name::from_str(host).ok()?;
        let mut addresses = Vec::new();
        for family in [RecordType::AAAA, RecordType::A] {
            let found = self.hosts.lookup_static_host(&Query::query(name.clone(), family));
            let records = found.iter().flat_map(|lookup| lookup.answers());
            addresses.extend(records.filter_map(|record| record.data.ip_addr()));
        }
        addresses.truncate(MAX_ADDRESSES);
        (!addresses.is_empty()).then_some(addresses)
    }
}

/// Ask for the addresses of a name.
pub(super) async fn ask(resolver: &TokioResolver, host: &str) -> Result<Found, NotFound> {
    let answer = resolver.lookup_ip(host).await;
    let now = Instant::now();
    let error = match answer {
        Ok(lookup) => {
            let addresses: Vec<IpAddr> = lookup.iter().take(MAX_ADDRESSES).collect();
            let ttl = lookup.valid_until().saturating_duration_since(now);
            let until = now + ttl.clamp(MIN_TTL, MAX_TTL);
            if !addresses.is_empty() {
                return Ok(Found { addresses, until });
            }
            return Err(NotFound { missing: Missing::NoAddress, until });
        }
        Err(error) => error,
    };
    let ttl = match &error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let ttl = Duration::from_secs(none.negative_ttl.unwrap_or(0).into());
            ttl.clamp(MIN_TTL, MAX_NEGATIVE_TTL)
        }
        _ => MIN_TTL,
    };
    Err(NotFound { missing: why(&error), until: now + ttl })
}

fn why(error: &NetError) -> Missing {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => {
            match response_code {
                ResponseCode::NXDomain => Missing::NoSuchName,
                ResponseCode::NoError => Missing::NoAddress,
                code => Missing::Other(of_code(*code)),
            }
        }
        NetError::Dns(DnsError::ResponseCode(code)) => Missing::Other(of_code(*code)),
        NetError::Timeout => Missing::TimedOut,
        NetError::Io(error) if error.kind() == io::ErrorKind::TimedOut => Missing::TimedOut,
        NetError::NoConnections => Missing::Other("no name server can be reached".to_owned()),
        NetError::Proto(_) => Missing::NotAName,
        other => Missing::Other(first_lower(&other.to_string())),
    }
}

fn of_code(code: ResponseCode) -> String {
    match code {
        ResponseCode::ServFail => "the name server failed (SERVFAIL)".to_owned(),
        ResponseCode::Refused => "the name server refuses to answer (REFUSED)".to_owned(),
        other => format!("the name server says: {}", first_lower(other.to_str())),
    }
}
