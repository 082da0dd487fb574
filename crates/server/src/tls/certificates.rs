//! Certificates and their keys: read from PEM files, matched with each other, chosen by name.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use crate::notice::plain;

/// Largest file that is read: a chain and a key have a few KiB.
const MAX_PEM_BYTES: u64 = 4 * 1024 * 1024;

/// Most files of a directory that are looked at.
const MAX_FILES: usize = 100_000;

/// What the files of a directory that count are called; `zeroserve.certificates` has them too.
const SUFFIXES: [&str; 5] = ["pem", "crt", "cer", "cert", "key"];

/// Where certificates and keys are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Files with a certificate chain, and with its key; the first is the default.
    pub pairs: Vec<(PathBuf, PathBuf)>,
    /// A directory of such files, matched by public key.
    pub directory: Option<PathBuf>,
}

/// What is known of a certificate in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The file that it came from.
    pub path: PathBuf,
    /// The names that it is for, in the certificate's order.
    pub names: Vec<String>,
    /// When it begins and ceases to be valid, in seconds since 1970.
    pub not_before_s: i64,
    /// The same for its end.
    pub not_after_s: i64,
    /// Whether it is used when no name matches.
    pub default: bool,
}

#[derive(Clone)]
struct Row {
    info: Info,
    key: Arc<CertifiedKey>,
}

impl Row {
    /// RSA signatures cost the server twenty times as much as others.
    fn is_cheap(&self) -> bool {
        self.key.key.algorithm() != SignatureAlgorithm::RSA
    }
}

/// A file of the directory that is not in use.
struct LeftOut {
    path: PathBuf,
    why: String,
}

/// Certificates by name.
pub(super) struct Certificates {
    rows: Vec<Row>,
    exact: HashMap<String, Vec<usize>>,
    /// By what is behind `*.`.
    wildcard: HashMap<String, Vec<usize>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.rows.iter().map(|row| &row.info)).finish()
    }
}

impl Certificates {
    /// Read all; the error names the file and what is wrong with it. The second part of the result
    /// is what was left out, a line each.
    ///
    /// What was in use before goes on when its file in the directory can't be used now: half of a
    /// pair was replaced, or a file is being written.
    pub(super) fn load(
        sources: &Sources,
        before: Option<&Self>,
    ) -> Result<(Self, Vec<String>), String> {
        let mut rows = Vec::new();
        for (chain, key) in &sources.pairs {
            rows.push(read_pair(chain, key)?);
        }
        let mut left_out = Vec::new();
        if let Some(directory) = &sources.directory {
            let (found, without) = read_directory(directory)?;
            rows.extend(found);
            for LeftOut { path, mut why } in without {
                let known = before.into_iter().flat_map(|before| &before.rows);
                let same = known.filter(|row| row.info.path == path).cloned();
                let mut same: Vec<Row> = same.collect();
                if !same.is_empty() {
                    why.push_str("; the old one goes on");
                }
                for row in &mut same {
                    row.info.default = false;
                }
                rows.append(&mut same);
                left_out.push(why);
            }
            // Whichever is the default stays it.
            rows[sources.pairs.len()..].sort_by(|a, b| a.info.path.cmp(&b.info.path));
        }
        let now = now_s();
        let default = rows.iter().position(|row| is_valid(&row.info, now)).unwrap_or(0);
        // The first pair is the default even when it has expired: it was chosen by the operator.
        let default = if sources.pairs.is_empty() { default } else { 0 };
        let Some(row) = rows.get_mut(default) else {
            return Err("no certificate was given".to_owned());
        };
        row.info.default = true;
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        for (at, row) in rows.iter().enumerate() {
            for name in &row.info.names {
                let (map, name): (&mut HashMap<String, Vec<usize>>, _) =
                    match name.strip_prefix("*.") {
                        Some(parent) => (&mut wildcard, parent),
                        None => (&mut exact, name.as_str()),
                    };
                map.entry(name.to_owned()).or_default().push(at);
            }
        }
        Ok((Self { rows, exact, wildcard }, left_out))
    }

    /// What is in use.
    pub(super) fn infos(&self) -> impl Iterator<Item = &Info> {
        self.rows.iter().map(|row| &row.info)
    }

    /// The best for a name: valid now before expired, exact before wildcard, others before RSA,
    /// then the one that is valid longest. Nobody's name gets the default.
    fn choose(&self, name: Option<&str>, now: i64, fits: impl Fn(&Row) -> bool) -> Option<&Row> {
        let name = name.unwrap_or_default().trim_end_matches('.');
        let parent = name.split_once('.').map_or("", |(_, parent)| parent);
        let exact = self.exact.get(name).into_iter().flatten().map(|at| (true, at));
        let wildcard = self.wildcard.get(parent).into_iter().flatten().map(|at| (false, at));
        let named = exact.chain(wildcard).map(|(exact, at)| (exact, &self.rows[*at]));
        let named = named.filter(|(_, row)| fits(row));
        let best = named.max_by_key(|(exact, row)| {
            (is_valid(&row.info, now), *exact, row.is_cheap(), row.info.not_after_s)
        });
        best.map(|(_, row)| row).or_else(|| self.fallback(now, fits))
    }

    /// The default, or one for some of its names where that one is of no use.
    fn fallback(&self, now: i64, fits: impl Fn(&Row) -> bool) -> Option<&Row> {
        let default = self.rows.iter().find(|row| row.info.default)?;
        if fits(default) && is_valid(&default.info, now) {
            return Some(default);
        }
        let shares = |row: &Row| row.info.names.iter().any(|n| default.info.names.contains(n));
        let others = self.rows.iter().filter(|row| shares(row) && fits(row));
        let best = others.max_by_key(|row| {
            (is_valid(&row.info, now), row.info.default, row.is_cheap(), row.info.not_after_s)
        });
        best.or(Some(default))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let schemes = hello.signature_schemes();
        let fits = |row: &Row| row.key.key.choose_scheme(schemes).is_some();
        self.choose(name.as_deref(), now_s(), fits).map(|row| Arc::clone(&row.key))
    }
}

fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

fn is_valid(info: &Info, now: i64) -> bool {
    (info.not_before_s..=info.not_after_s).contains(&now)
}

fn at(path: &Path, why: &str) -> String {
    format!("{}: {why}", path.display())
}

/// All bytes; what says it is empty, like a pipe, may have any number of them.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let wrong = |error: std::io::Error| at(path, &plain(&error));
    let file = fs::File::open(path).map_err(wrong)?;
    let mut bytes = Vec::new();
    file.take(MAX_PEM_BYTES + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > MAX_PEM_BYTES {
        return Err(at(path, &format!("larger than {MAX_PEM_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Certificates and keys of a file, in order.
#[derive(Default)]
struct Pem {
    chain: Vec<CertificateDer<'static>>,
    keys: Vec<PrivateKeyDer<'static>>,
    encrypted: bool,
}

fn read_pem(path: &Path) -> Result<Pem, String> {
    let bytes = read_file(path)?;
    if contains(&bytes, b"Proc-Type: 4,ENCRYPTED") {
        // The older form, whose lines are no base64.
        return Err(at(path, ENCRYPTED));
    }
    let mut pem = Pem::default();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&bytes) {
        let (kind, der) = section.map_err(|error| at(path, &pem_error(&error)))?;
        match kind {
            SectionKind::Certificate => pem.chain.push(der.into()),
            SectionKind::PrivateKey => pem.keys.push(PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::RsaPrivateKey => pem.keys.push(PrivateKeyDer::Pkcs1(der.into())),
            SectionKind::EcPrivateKey => pem.keys.push(PrivateKeyDer::Sec1(der.into())),
            _ => {}
        }
    }
    // The reader passes over what it has no name for.
    pem.encrypted = contains(&bytes, b"-----BEGIN ENCRYPTED PRIVATE KEY-----");
    Ok(pem)
}

const ENCRYPTED: &str = "the key is encrypted with a passphrase: decrypt it first";

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn pem_error(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "not valid PEM: a section has no end".into(),
        PemError::IllegalSectionStart { .. } => "not valid PEM: a section begins oddly".into(),
        PemError::Base64Decode(_) => "not valid PEM: what is in it is not base64".into(),
        other => format!("not valid PEM: {other}"),
    }
}

fn no_key(path: &Path, pem: &Pem) -> String {
    if pem.encrypted {
        return at(path, ENCRYPTED);
    }
    at(path, "no private key in it (looked for PKCS #8, PKCS #1 and SEC 1 in PEM)")
}

fn read_pair(chain_path: &Path, key_path: &Path) -> Result<Row, String> {
    let chain = read_pem(chain_path)?;
    if chain.chain.is_empty() {
        return Err(at(chain_path, "no certificate in it (PEM, from BEGIN CERTIFICATE)"));
    }
    let mut keys = read_pem(key_path)?;
    if keys.keys.is_empty() {
        return Err(no_key(key_path, &keys));
    }
    if keys.keys.len() > 1 {
        return Err(at(key_path, "more than one private key in it"));
    }
    let key = any_supported_type(&keys.keys.remove(0))
        .map_err(|_| at(key_path, "a kind of private key that is not supported"))?;
    let (info, spki) = describe(chain_path, &chain.chain)?;
    if public_key(&*key).is_some_and(|own| own != spki) {
        let why = format!("not the key of the certificate in {}", chain_path.display());
        return Err(at(key_path, &why));
    }
    Ok(Row { info, key: Arc::new(CertifiedKey::new(chain.chain, key)) })
}

fn public_key(key: &dyn SigningKey) -> Option<Vec<u8>> {
    key.public_key().map(|key| key.as_ref().to_vec())
}

/// What the first certificate of a chain says, and its public key.
fn describe(path: &Path, chain: &[CertificateDer<'_>]) -> Result<(Info, Vec<u8>), String> {
    for (number, certificate) in chain.iter().enumerate().skip(1) {
        X509Certificate::from_der(certificate)
            .map_err(|_| at(path, &format!("certificate {} in it can't be read", number + 1)))?;
    }
    let (_, certificate) = X509Certificate::from_der(&chain[0])
        .map_err(|_| at(path, "the certificate in it can't be read"))?;
    let mut names = Vec::new();
    for extension in certificate.extensions() {
        if let ParsedExtension::SubjectAlternativeName(alternative) = extension.parsed_extension() {
            for name in &alternative.general_names {
                match name {
                    GeneralName::DNSName(name) => names.extend(dns_name(name)),
                    GeneralName::IPAddress(bytes) => names.extend(ip_name(bytes)),
                    _ => {}
                }
            }
        }
    }
    let info = Info {
        path: path.to_owned(),
        names,
        not_before_s: certificate.validity().not_before.timestamp(),
        not_after_s: certificate.validity().not_after.timestamp(),
        default: false,
    };
    Ok((info, certificate.public_key().raw.to_vec()))
}

/// In lower case; what is no name of a host could be none that a client asks for.
fn dns_name(name: &str) -> Option<String> {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| name.to_ascii_lowercase())
}

fn ip_name(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string())
}

/// All files of a directory that are PEM: chains are matched with keys by their public key. The
/// second part is what was left out.
fn read_directory(directory: &Path) -> Result<(Vec<Row>, Vec<LeftOut>), String> {
    let mut left_out = Vec::new();
    let mut leave_out = |path: &Path, why: String| {
        left_out.push(LeftOut { path: path.to_owned(), why });
    };
    let listing = fs::read_dir(directory).map_err(|error| at(directory, &plain(&error)))?;
    let mut paths = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| at(directory, &plain(&error)))?;
        let path = entry.path();
        let named = |suffix: &str| path.extension().is_some_and(|found| found == suffix);
        if SUFFIXES.iter().any(|suffix| named(suffix)) && !path.is_dir() {
            paths.push(path);
        }
        if paths.len() > MAX_FILES {
            return Err(at(directory, &format!("more than {MAX_FILES} files in it")));
        }
    }
    // A directory per name, as ACME clients keep them, is not looked into: links say which to use.
    paths.sort();
    let mut keys: HashMap<Vec<u8>, Arc<dyn SigningKey>> = HashMap::new();
    let mut chains = Vec::new();
    for path in &paths {
        // A pipe would be waited for.
        if path.exists() && !path.is_file() {
            leave_out(path, at(path, "not a file"));
            continue;
        }
        let pem = match read_pem(path) {
            Ok(pem) => pem,
            Err(why) => {
                leave_out(path, why);
                continue;
            }
        };
        if pem.chain.is_empty() && pem.keys.is_empty() {
            let nothing = at(path, "neither a certificate nor a key in it (PEM)");
            leave_out(path, if pem.encrypted { no_key(path, &pem) } else { nothing });
        }
        for key in &pem.keys {
            match any_supported_type(key) {
                Ok(key) => {
                    if let Some(public) = public_key(&*key) {
                        keys.insert(public, key);
                    }
                }
                Err(_) => leave_out(path, at(path, "a kind of private key that is not supported")),
            }
        }
        if !pem.chain.is_empty() {
            chains.push((path, pem.chain));
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut known: HashMap<CertificateDer<'static>, usize> = HashMap::new();
    for (path, chain) in chains {
        match describe(path, &chain) {
            Ok((info, spki)) => match keys.get(&spki) {
                Some(key) => {
                    // ACME clients write a certificate twice, with its chain and without: the
                    // longer one is of use.
                    let place = *known.entry(chain[0].clone()).or_insert(rows.len());
                    let key = Arc::new(CertifiedKey::new(chain, Arc::clone(key)));
                    match rows.get_mut(place) {
                        Some(other) if other.key.cert.len() >= key.cert.len() => {}
                        Some(other) => *other = Row { info, key },
                        None => rows.push(Row { info, key }),
                    }
                }
                None => leave_out(path, at(path, "no key in the directory belongs to it")),
            },
            Err(why) => leave_out(path, why),
        }
    }
    if rows.is_empty() {
        let mut why = "no certificate with its key in it (*.pem, *.crt, *.key)".to_owned();
        if let Some(first) = left_out.first() {
            why = format!("{why}; {}", first.why);
        }
        return Err(at(directory, &why));
    }
    Ok((rows, left_out))
}
