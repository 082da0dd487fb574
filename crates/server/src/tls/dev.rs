//! Certificates for a development machine, from an authority that exists on this machine only.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PublicKeyData,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long the authority is valid, and how long a certificate: longer ones are refused by some
/// browsers even below authorities of one's own.
const AUTHORITY_DAYS: i64 = 3650;
const CERTIFICATE_DAYS: i64 = 397;

/// Clocks of other machines may be behind.
const LEEWAY_S: i64 = 3600;

const DAY_S: i64 = 86_400;

/// Top-level domains that nobody on the internet owns (RFC 2606, RFC 6762, RFC 8375; `internal`
/// was reserved by ICANN): who gets hold of the authority's key can forge these names only.
const DOMAINS: [&str; 6] = ["localhost", "test", "local", "internal", "home.arpa", "example"];

/// A certificate or authority and its key, PEM.
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// Addresses of this machine and of private networks (RFC 1918, RFC 4193).
fn networks() -> [CidrSubnet; 6] {
    [
        CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0]),
        CidrSubnet::V4([10, 0, 0, 0], [255, 0, 0, 0]),
        CidrSubnet::V4([172, 16, 0, 0], [255, 240, 0, 0]),
        CidrSubnet::V4([192, 168, 0, 0], [255, 255, 0, 0]),
        CidrSubnet::from_v6_prefix(std::net::Ipv6Addr::LOCALHOST.octets(), 128),
        CidrSubnet::from_v6_prefix([0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7),
    ]
}

/// Whether certificates of the authority may have this name.
pub fn is_local(name: &str) -> bool {
    if let Ok(address) = name.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
        };
    }
    let name = name.strip_prefix("*.").unwrap_or(name).to_ascii_lowercase();
    let labels = name.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    let below = |domain: &str| name == domain || name.ends_with(&format!(".{domain}"));
    labels && name.len() <= 253 && DOMAINS.iter().any(|domain| below(domain))
}

fn wrong(error: rcgen::Error) -> String {
    format!("the certificate can't be made: {error}")
}

fn params(common_name: &str, days: i64, now_s: i64) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "zeroserve development");
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    let time = |s: i64| {
        time::OffsetDateTime::from_unix_timestamp(s).map_err(|_| "the clock is wrong".to_owned())
    };
    params.not_before = time(now_s - LEEWAY_S)?;
    params.not_after = time(now_s + days * DAY_S)?;
    Ok(params)
}

/// A new authority; `place` is put into its name, so that two of them can be told apart.
pub fn authority(place: &str, now_s: i64) -> Result<Pair, String> {
    let name = format!("zeroserve development authority of {place}");
    let mut params = params(&name, AUTHORITY_DAYS, now_s)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Names of other kinds, such as addresses of mail, are of no use to a server.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let domains = DOMAINS.iter().map(|domain| GeneralSubtree::DnsName((*domain).to_owned()));
    let networks = networks().into_iter().map(GeneralSubtree::IpAddress);
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: domains.chain(networks).collect(),
        excluded_subtrees: Vec::new(),
    });
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = params.self_signed(&key).map_err(wrong)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A certificate for the names, signed by the authority. Its chain is the certificate alone: who
/// trusts the authority has it.
pub fn certificate(authority: &Pair, names: &[String], now_s: i64) -> Result<Pair, String> {
    let Some(first) = names.first() else { return Err("no name was given".to_owned()) };
    if let Some(name) = names.iter().find(|name| !is_local(name)) {
        return Err(format!(
            "'{}' is not a name of this machine or a private network: development certificates \
             are for {} and what is below them, and for private addresses",
            name.escape_debug(),
            DOMAINS.join(", "),
        ));
    }
    let mut params = params(first, CERTIFICATE_DAYS, now_s)?;
    let own = CertificateParams::new(names.to_vec()).map_err(wrong)?;
    params.subject_alt_names = own.subject_alt_names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let unusable = |error| format!("the authority can't be used: {error}");
    let issuer_key = KeyPair::from_pem(&authority.key).map_err(unusable)?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, issuer_key).map_err(unusable)?;
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = params.signed_by(&key, &issuer).map_err(wrong)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Seconds since 1970 at which a certificate ceases to be valid; none when it or its key can't be
/// read, or they don't belong together.
pub fn end_of(pair: &Pair) -> Option<i64> {
    let der = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let key = KeyPair::from_pem(&pair.key).ok()?;
    let belongs = certificate.public_key().raw == key.subject_public_key_info();
    belongs.then(|| certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for local in ["localhost", "*.localhost", "app.test", "127.0.0.1", "::1", "10.1.2.3"] {
            assert!(is_local(local), "{local}");
        }
        for other in ["", "example.org", "8.8.8.8", "test.", "a..test", "evil.com\0.test", "xtest"]
        {
            assert!(!is_local(other), "{other}");
        }
    }

    #[test]
    fn a_certificate_for_this_machine() {
        let now = 1_790_000_000;
        let authority = authority("here", now).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = certificate(&authority, &names, now).unwrap();
        assert_eq!(end_of(&made), Some(now + CERTIFICATE_DAYS * DAY_S));
        let mixed = Pair { certificate: made.certificate, key: authority.key.clone() };
        assert_eq!(end_of(&mixed), None);
        assert!(certificate(&authority, &["example.org".to_owned()], now).is_err());
        let broken = Pair { certificate: String::new(), key: authority.key };
        assert!(certificate(&broken, &names, now).is_err());
    }
}
