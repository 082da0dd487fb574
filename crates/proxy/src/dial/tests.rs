//! Against servers of its own: DNS that says what a test wants, and TLS with certificates made for
//! it.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SOA};
use hickory_resolver::proto::rr::{Name as DnsName, RData, Record, RecordType};
use rcgen::{CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::origin::Target;

fn run<F: Future>(future: F) -> F::Output {
    let runtime: LocalRuntime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(30), future).await.unwrap() };
    runtime.block_on(limited)
}

fn origin(text: &str) -> Origin {
    match Target::parse(text).unwrap() {
        Target::Origin { origin, .. } => origin,
        Target::Pool(name) => panic!("{name}"),
    }
}

/// What a name server says.
#[derive(Clone, Copy)]
enum Say {
    /// These addresses, for so many seconds.
    Addresses(&'static [Ipv4Addr], u32),
    Code(ResponseCode),
    Garbage,
    /// The answer to another question.
    Stray,
    Nothing,
}

/// A name server in a thread of its own.
struct Dns {
    say: Arc<Mutex<Say>>,
    /// Questions for addresses of IPv4.
    asked: Arc<AtomicUsize>,
    address: SocketAddr,
}

impl Dns {
    fn new(say: Say) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let say = Arc::new(Mutex::new(say));
        let asked = Arc::new(AtomicUsize::new(0));
        let (said, count) = (Arc::clone(&say), Arc::clone(&asked));
        thread::spawn(move || {
            let mut buf = [0; 4096];
            while let Ok((len, from)) = socket.recv_from(&mut buf) {
                let Ok(question) = Message::from_vec(&buf[..len]) else { continue };
                let is_a = question.queries[0].query_type() == RecordType::A;
                count.fetch_add(usize::from(is_a), Ordering::SeqCst);
                if let Some(answer) = answer(&question, is_a, *said.lock().unwrap()) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { say, asked, address }
    }

    fn say(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }

    fn dialer(&self) -> Dialer {
        self.dialer_with("", Duration::from_secs(5))
    }

    fn dialer_with(&self, hosts: &str, timeout: Duration) -> Dialer {
        let system = System::of_test(self.address, timeout, hosts);
        let mut dialer =
            Dialer::new(Arc::new(Shared::with(system, Arc::new(Base::with(RootCertStore::empty())))));
        dialer.per_address = Duration::from_millis(300);
        dialer
    }
}

fn answer(question: &Message, is_a: bool, say: Say) -> Option<Vec<u8>> {
    let query = question.queries[0].clone();
    let mut message = Message::response(question.id, question.op_code);
    message.metadata.message_type = MessageType::Response;
    message.metadata.recursion_available = true;
    message.add_query(query.clone());
    let name = query.name().clone();
    match say {
        Say::Nothing => return None,
        Say::Garbage => return Some(b"\x00\x01garbage that is no message".to_vec()),
        Say::Stray => {
            let mut stray = Message::response(question.id.wrapping_add(1), question.op_code);
            stray.add_query(query);
            let data = RData::A(A(Ipv4Addr::new(127, 0, 0, 99)));
            stray.add_answer(Record::from_rdata(name, 60, data));
            return Some(stray.to_vec().unwrap());
        }
        Say::Addresses(addresses, ttl) => {
            for address in addresses.iter().filter(|_| is_a) {
                message.add_answer(Record::from_rdata(name.clone(), ttl, RData::A(A(*address))));
            }
        }
        Say::Code(code) => message.metadata.response_code = code,
    }
    if message.answers.is_empty() {
        let zone = DnsName::from_ascii("test.").unwrap();
        let soa = SOA::new(zone.clone(), zone.clone(), 1, 60, 60, 60, 1);
        message.add_authority(Record::from_rdata(zone, 1, RData::SOA(soa)));
    }
    Some(message.to_vec().unwrap())
}

/// A server that accepts, at that address.
struct Accepting {
    port: u16,
}

impl Accepting {
    fn new(ip: &str, port: u16) -> Self {
        let listener = std::net::TcpListener::bind((ip, port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || while listener.accept().is_ok() {});
        Self { port }
    }
}

const ONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const TWO: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const THREE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

fn peer(connected: &Connected) -> String {
    connected.socket.peer().unwrap().ip().to_string()
}

#[test]
fn all_addresses_have_their_turn() {
    let one = Accepting::new("127.0.0.1", 0);
    let _two = Accepting::new("127.0.0.2", one.port);
    let dns = Dns::new(Say::Addresses(&[TWO, ONE], 60));
    let dialer = dns.dialer();
    let origin = origin(&format!("http://a.test:{}", one.port));
    let peers = run(async {
        let mut peers = Vec::new();
        for _ in 0..4 {
            let connected = dialer.connect(&origin).await.unwrap();
            assert!(!connected.is_http2);
            peers.push(peer(&connected));
        }
        peers
    });
    assert_eq!(peers, ["127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"]);
    assert_eq!(dns.asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_dead_address_costs_no_connection() {
    let two = Accepting::new("127.0.0.2", 0);
    let dns = Dns::new(Say::Addresses(&[ONE, TWO, THREE], 60));
    let dialer = dns.dialer();
    let origin = origin(&format!("http://a.test:{}", two.port));
    run(async {
        for _ in 0..4 {
            assert_eq!(peer(&dialer.connect(&origin).await.unwrap()), "127.0.0.2");
        }
    });
}

#[test]
fn all_addresses_dead() {
    let port = free_port();
    let dns = Dns::new(Say::Addresses(&[ONE, TWO], 60));
    let failure = run(dns.dialer().connect(&origin(&format!("http://a.test:{port}")))).unwrap_err();
    assert_eq!(failure.phase, Phase::Connect);
    let text = failure.to_string();
    assert!(text.starts_with("connect: connection refused (the last of 2 addresses, "), "{text}");
    let literal = run(dns.dialer().connect(&origin(&format!("http://127.0.0.1:{port}"))));
    assert_eq!(literal.unwrap_err().to_string(), "connect: connection refused");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn an_address_that_is_silent() {
    // The queue of a listener that accepts nothing gets full, and further connections stay open.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from((ONE, 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let port = address.as_socket().unwrap().port();
    let fillers: Vec<_> = (0..4)
        .map(|_| {
            let filler = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
            let filler = filler.unwrap();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&address);
            filler
        })
        .collect();
    let two = Accepting::new("127.0.0.2", port);
    let dns = Dns::new(Say::Addresses(&[ONE, TWO], 60));
    let dialer = dns.dialer();
    let origin = origin(&format!("http://a.test:{port}"));
    run(async {
        for _ in 0..3 {
            assert_eq!(peer(&dialer.connect(&origin).await.unwrap()), "127.0.0.2");
        }
    });
    drop((fillers, two));
}

#[test]
fn answers_are_asked_for_again() {
    let one = Accepting::new("127.0.0.1", 0);
    let _two = Accepting::new("127.0.0.2", one.port);
    let dns = Dns::new(Say::Addresses(&[ONE], 1));
    let dialer = dns.dialer();
    let origin = origin(&format!("http://a.test:{}", one.port));
    run(async {
        assert_eq!(peer(&dialer.connect(&origin).await.unwrap()), "127.0.0.1");
        dns.say(Say::Addresses(&[TWO], 1));
        while peer(&dialer.connect(&origin).await.unwrap()) != "127.0.0.2" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // DNS goes away: what it said last goes on. Of it coming back is heard.
        dns.say(Say::Nothing);
        let asked = dns.asked.load(Ordering::SeqCst);
        while dns.asked.load(Ordering::SeqCst) == asked {
            assert_eq!(peer(&dialer.connect(&origin).await.unwrap()), "127.0.0.2");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        dns.say(Say::Code(ResponseCode::NXDomain));
        loop {
            match dialer.connect(&origin).await {
                Ok(connected) => assert_eq!(peer(&connected), "127.0.0.2"),
                Err(failure) => {
                    assert_eq!(failure.to_string(), "resolve: no such name: a.test");
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

#[test]
fn a_name_that_has_moved() {
    let two = Accepting::new("127.0.0.2", 0);
    let dns = Dns::new(Say::Addresses(&[ONE], 3600));
    let dialer = dns.dialer();
    let origin = origin(&format!("http://a.test:{}", two.port));
    run(async {
        dialer.connect(&origin).await.unwrap_err();
        dns.say(Say::Addresses(&[TWO], 3600));
        while dialer.connect(&origin).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(dns.asked.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn names_without_addresses() {
    for (say, expected) in [
        (Say::Code(ResponseCode::NXDomain), "resolve: no such name: a.test"),
        (Say::Addresses(&[], 60), "resolve: the name has no address: a.test"),
        (Say::Code(ResponseCode::ServFail), "resolve: the name server failed (SERVFAIL)"),
        (Say::Code(ResponseCode::Refused), "resolve: the name server refuses to answer (REFUSED)"),
        (Say::Nothing, "resolve: timed out"),
        (Say::Garbage, "resolve: timed out"),
        (Say::Stray, "resolve: timed out"),
    ] {
        let dns = Dns::new(say);
        let silent = expected.ends_with("timed out");
        let timeout = Duration::from_millis(if silent { 300 } else { 5000 });
        let dialer = dns.dialer_with("", timeout);
        let origin = origin("http://a.test:1");
        let failure = run(dialer.connect(&origin)).unwrap_err();
        assert_eq!(failure.to_string(), expected);
        assert_eq!(failure.phase, Phase::Resolve);
    }
}

#[test]
fn a_missing_name_is_remembered_for_a_while() {
    let dns = Dns::new(Say::Code(ResponseCode::NXDomain));
    let dialer = dns.dialer();
    let one = Accepting::new("127.0.0.1", 0);
    let origin = origin(&format!("http://a.test:{}", one.port));
    run(async {
        for _ in 0..100 {
            dialer.connect(&origin).await.unwrap_err();
        }
        assert!(dns.asked.load(Ordering::SeqCst) < 10);
        dns.say(Say::Addresses(&[ONE], 60));
        while dialer.connect(&origin).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn one_asks_and_the_others_wait() {
    let one = Accepting::new("127.0.0.1", 0);
    let dns = Dns::new(Say::Addresses(&[ONE], 60));
    let dialer = std::rc::Rc::new(dns.dialer());
    let origin = origin(&format!("http://a.test:{}", one.port));
    run(async {
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (dialer, origin) = (std::rc::Rc::clone(&dialer), origin.clone());
                tokio::task::spawn_local(async move { dialer.connect(&origin).await.is_ok() })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap());
        }
    });
    assert_eq!(dns.asked.load(Ordering::SeqCst), 1);
}

#[test]
fn who_gives_up_lets_the_next_one_ask() {
    let one = Accepting::new("127.0.0.1", 0);
    let dns = Dns::new(Say::Nothing);
    let dialer = dns.dialer();
    let origin = origin(&format!("http://a.test:{}", one.port));
    run(async {
        let brief = Duration::from_millis(50);
        assert!(tokio::time::timeout(brief, dialer.connect(&origin)).await.is_err());
        dns.say(Say::Addresses(&[ONE], 60));
        dialer.connect(&origin).await.unwrap();
    });
}

#[test]
fn what_needs_no_asking() {
    let one = Accepting::new("127.0.0.1", 0);
    let dns = Dns::new(Say::Nothing);
    let dialer =
        dns.dialer_with("127.0.0.1 known other.test # a comment\n", Duration::from_secs(5));
    run(async {
        for host in ["127.0.0.1", "localhost", "app.localhost", "localhost.", "known", "other.test"]
        {
            let origin = origin(&format!("http://{host}:{}", one.port));
            assert_eq!(peer(&dialer.connect(&origin).await.unwrap()), "127.0.0.1", "{host}");
        }
    });
    assert_eq!(dns.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn names_that_none_has() {
    let dns = Dns::new(Say::Nothing);
    let long = "a".repeat(64);
    for host in [long.as_str(), "a..b", &"a.".repeat(200)] {
        let failure = run(dns.dialer().connect(&origin(&format!("http://{host}:1")))).unwrap_err();
        assert_eq!(failure.to_string(), format!("resolve: not a name: {host}"));
    }
}

#[test]
fn unix_sockets() {
    let directory = directory("unix");
    let path = directory.join("socket");
    let origin = origin(&format!("unix:{}", path.display()));
    let dialer = Dns::new(Say::Nothing).dialer();
    run(async {
        let failure = dialer.connect(&origin).await.unwrap_err();
        assert_eq!(failure.to_string(), "connect: no such file or directory");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let mut connected = dialer.connect(&origin).await.unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        assert!(connected.socket.is_quiet());
        other.write_all(b"hello").await.unwrap();
        assert!(!connected.socket.is_quiet());
        let mut buf = [0; 5];
        connected.socket.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
        drop(other);
        assert!(!connected.socket.is_quiet());
        let encrypted = Origin { is_tls: true, ..origin.clone() };
        assert!(dialer.connect(&encrypted).await.is_err());
    });
}

#[test]
fn a_unix_socket_whose_queue_is_full() {
    let path = directory("full").join("socket");
    let full = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    full.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    full.listen(0).unwrap();
    let origin = origin(&format!("unix:{}", path.display()));
    let dialer = Dns::new(Say::Nothing).dialer();
    run(async {
        let first = dialer.connect(&origin).await.unwrap();
        let brief = Duration::from_millis(50);
        assert!(tokio::time::timeout(brief, dialer.connect(&origin)).await.is_err());
        let accepting = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            (full.accept().unwrap(), full)
        });
        dialer.connect(&origin).await.unwrap();
        accepting.join().unwrap();
        drop(first);
    });
}

/// An empty directory for the files of a test.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("zeroserve-dial-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A chain and a key.
struct Identity {
    chain: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        Self::named("authority of a test")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { chain: certificate.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    fn dialer(&self) -> Dialer {
        let nobody = SocketAddr::from((ONE, 9));
        let system = System::of_test(nobody, Duration::from_secs(1), "127.0.0.1 a.test b.test\n");
        Dialer::new(Arc::new(Shared::with(system, Arc::new(Base::with(self.roots())))))
    }
}

fn server(identity: &Identity, alpn: &[&str], clients: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let roots = Arc::new(authority.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = rustls::pki_types::CertificateDer::pem_slice_iter(identity.chain.as_bytes());
    let chain: Vec<_> = chain.map(|certificate| certificate.unwrap()).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// Accept TLS and say of each session what was agreed on: name, protocol, whether it was resumed.
async fn serve(config: ServerConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::task::spawn_local(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let session = stream.get_ref().1;
                let alpn = session.alpn_protocol().map(String::from_utf8_lossy);
                let text = format!(
                    "{} {} {:?}\n",
                    session.server_name().unwrap_or("-"),
                    alpn.as_deref().unwrap_or("-"),
                    session.handshake_kind().unwrap(),
                );
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.read_u8().await;
            });
        }
    });
    port
}

async fn line(socket: &mut Socket) -> io::Result<String> {
    let mut text = String::new();
    loop {
        match socket.read_u8().await? {
            b'\n' => return Ok(text),
            byte => text.push(byte.into()),
        }
    }
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_certificate_that_is_valid() {
    let authority = Authority::new();
    let identity = authority.issue(&["a.test", "127.0.0.1"], |_| {});
    let mut dialer = authority.dialer();
    run(async {
        let port = serve(server(&identity, &["h2", "http/1.1"], None)).await;
        let mut said = Vec::new();
        for (text, offer) in [
            (format!("https://a.test:{port}"), false),
            (format!("https://a.test:{port}"), true),
            (format!("h2://a.test:{port}"), false),
            (format!("https://127.0.0.1:{port}"), false),
        ] {
            dialer.offer_http2 = offer;
            let mut connected = dialer.connect(&origin(&text)).await.unwrap();
            said.push((line(&mut connected.socket).await.unwrap(), connected.is_http2));
            assert!(connected.socket.is_quiet());
            assert!(connected.socket.seems_quiet());
        }
        assert_eq!(said[0], ("a.test http/1.1 Full".to_owned(), false));
        assert_eq!(said[1], ("a.test h2 Resumed".to_owned(), true));
        assert_eq!(said[2], ("a.test h2 Resumed".to_owned(), true));
        assert_eq!(said[3], ("- http/1.1 Full".to_owned(), false));
    });
}

#[test]
fn what_comes_unasked_is_seen_behind_tls() {
    let authority = Authority::new();
    let identity = authority.issue(&["a.test"], |_| {});
    let dialer = authority.dialer();
    run(async {
        let port = serve(server(&identity, &[], None)).await;
        let origin = origin(&format!("https://a.test:{port}"));
        let mut connected = dialer.connect(&origin).await.unwrap();
        while connected.socket.is_quiet() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The end is seen as well.
        let mut connected = dialer.connect(&origin).await.unwrap();
        line(&mut connected.socket).await.unwrap();
        connected.socket.write_all(b"x").await.unwrap();
        while connected.socket.is_quiet() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn certificates_that_are_not_valid() {
    let (authority, other) = (Authority::new(), Authority::named("another"));
    let namesake = Authority::new();
    let year = |year| rcgen::date_time_ymd(year, 2, 3);
    let cases = [
        (
            authority.issue(&["b.test", "c.test"], |_| {}),
            "its certificate is not valid for a.test, but for b.test, c.test",
        ),
        (
            authority.issue(&["b.test", "c.test", "d.test", "e.test", "f.test"], |_| {}),
            "its certificate is not valid for a.test, but for b.test, c.test, d.test and 2 more",
        ),
        (other.issue(&["a.test"], |_| {}), "its certificate comes from an unknown issuer"),
        (
            namesake.issue(&["a.test"], |_| {}),
            "its certificate was not signed by the issuer that it names",
        ),
        (
            authority.issue(&["a.test"], |params| {
                (params.not_before, params.not_after) = (year(2001), year(2002));
            }),
            "its certificate has expired on 2002-02-03",
        ),
        (
            authority.issue(&["a.test"], |params| {
                (params.not_before, params.not_after) = (year(2901), year(2902));
            }),
            "its certificate is not valid yet, but from 2901-02-03",
        ),
        (
            authority.issue(&["a.test"], |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }),
            "its certificate is not for servers",
        ),
    ];
    let dialer = authority.dialer();
    let unverified = TlsOptions { verify: false, ..TlsOptions::default() };
    let unverified = dialer.shared.tls(&unverified).unwrap();
    run(async {
        for (identity, expected) in &cases {
            let port = serve(server(identity, &[], None)).await;
            let origin = origin(&format!("https://a.test:{port}"));
            let failure = dialer.connect(&origin).await.unwrap_err();
            assert_eq!(failure.phase, Phase::Handshake);
            assert_eq!(failure.to_string(), format!("handshake: {expected}"));
            let origin = Origin { tls: Some(unverified.clone()), ..origin };
            assert!(dialer.connect(&origin).await.is_ok(), "{expected}");
        }
    });
}

#[test]
fn options() {
    let (authority, other) = (Authority::new(), Authority::new());
    let directory = directory("options");
    let dialer = authority.dialer();
    let load = |options: &TlsOptions| dialer.shared.tls(options);
    let ca = write(&directory, "ca.pem", &other.0.pem());
    let identity = other.issue(&["inner.test"], |_| {});
    let key = write(&directory, "key.pem", &identity.key);
    let named = TlsOptions {
        ca: Some(ca.clone()),
        server_name: Some("inner.test".to_owned()),
        ..TlsOptions::default()
    };
    run(async {
        let port = serve(server(&identity, &[], None)).await;
        let origin = origin(&format!("https://a.test:{port}"));
        let tls = Some(load(&named).unwrap());
        let mut connected = dialer.connect(&Origin { tls, ..origin.clone() }).await.unwrap();
        assert_eq!(line(&mut connected.socket).await.unwrap(), "inner.test - Full");
    });
    let missing = TlsOptions { ca: Some(directory.join("none")), ..TlsOptions::default() };
    assert!(load(&missing).unwrap_err().ends_with("/none: no such file or directory"));
    let wrong = TlsOptions { ca: Some(key.clone()), ..TlsOptions::default() };
    assert!(load(&wrong).unwrap_err().contains("/key.pem: no certificate in it"));
    let wrong = TlsOptions { client: Some((ca.clone(), ca)), ..TlsOptions::default() };
    assert!(load(&wrong).unwrap_err().contains("/ca.pem: no private key in it"));
    let wrong = TlsOptions { server_name: Some("a b".to_owned()), ..TlsOptions::default() };
    assert_eq!(load(&wrong).unwrap_err(), "not a name for TLS: a b");
    assert_ne!(load(&named).unwrap(), load(&named).unwrap());
}

#[test]
fn client_certificates() {
    let authority = Authority::new();
    let directory = directory("clients");
    let dialer = authority.dialer();
    let client = |name: &str, authority: &Authority| {
        let identity = authority.issue(&["client"], |_| {});
        let chain = write(&directory, &format!("{name}.pem"), &identity.chain);
        let key = write(&directory, &format!("{name}.key"), &identity.key);
        let options = TlsOptions { client: Some((chain, key)), ..TlsOptions::default() };
        Some(dialer.shared.tls(&options).unwrap())
    };
    let (good, bad) = (client("good", &authority), client("bad", &Authority::named("another")));
    let identity = authority.issue(&["a.test"], |_| {});
    run(async {
        let port = serve(server(&identity, &[], Some(&authority))).await;
        let with = |tls| Origin { tls, ..origin(&format!("https://a.test:{port}")) };
        let mut connected = dialer.connect(&with(good)).await.unwrap();
        assert_eq!(line(&mut connected.socket).await.unwrap(), "a.test - Full");
        // With TLS 1.3, the server says so after the client believes it is done.
        let mut connected = dialer.connect(&with(None)).await.unwrap();
        let error = line(&mut connected.socket).await.unwrap_err();
        assert_eq!(error.to_string(), "it wants a client certificate");
        let mut connected = dialer.connect(&with(bad)).await.unwrap();
        let error = line(&mut connected.socket).await.unwrap_err().to_string();
        assert!(error.starts_with("it does not accept the client certificate"), "{error}");
    });
}

#[test]
fn who_does_not_speak_it() {
    let authority = Authority::new();
    let identity = authority.issue(&["a.test"], |_| {});
    let dialer = authority.dialer();
    run(async {
        let port = serve(server(&identity, &[], None)).await;
        let failure = dialer.connect(&origin(&format!("h2://a.test:{port}"))).await.unwrap_err();
        assert_eq!(failure.to_string(), "handshake: it does not offer HTTP/2 (ALPN)");
        let port = serve(server(&identity, &["http/1.1"], None)).await;
        let failure = dialer.connect(&origin(&format!("h2://a.test:{port}"))).await.unwrap_err();
        assert_eq!(failure.to_string(), format!("handshake: {}", words::NO_PROTOCOL));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::task::spawn_local(async move {
            let (mut plain, _) = listener.accept().await.unwrap();
            plain.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            let (closing, _) = listener.accept().await.unwrap();
            drop(closing);
            std::future::pending::<()>().await;
        });
        let origin = origin(&format!("https://a.test:{port}"));
        let failure = dialer.connect(&origin).await.unwrap_err();
        assert_eq!(failure.to_string(), "handshake: it does not speak TLS");
        let failure = dialer.connect(&origin).await.unwrap_err();
        assert_eq!(failure.phase, Phase::Handshake);
    });
}

#[test]
fn authorities_of_this_system() {
    // There may be none: that is no reason to fail before anybody asks.
    let started = Instant::now();
    let shared = Shared::new();
    assert!(shared.tls.is_ok(), "{:?}", started.elapsed());
}
