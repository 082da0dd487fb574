//! What a person is told when TLS or DNS fails.

use std::io;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use time::OffsetDateTime;

/// Names of a certificate that are shown.
const MAX_NAMES: usize = 3;

/// What the TLS library found wrong, if it was the one that did.
pub(super) fn of_tls(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::NoApplicationProtocol => NO_PROTOCOL.to_owned(),
        Error::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon) => {
            "it takes no signature that the client certificate's key can make".to_owned()
        }
        Error::PeerIncompatible(_) => "it supports no version or cipher that is safe".to_owned(),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS".to_owned()
        }
        other => first_lower(&other.to_string()),
    })
}

/// No protocol of ALPN in common.
pub(super) const NO_PROTOCOL: &str = "it does not speak the protocol that is asked for (ALPN)";

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::NotValidForNameContext { expected, presented } => {
            let name = expected.to_str();
            let names: Vec<&str> = presented.iter().filter_map(|name| quoted(name)).collect();
            let others = match names.len() {
                0 => String::new(),
                shown @ 1..=MAX_NAMES => format!(", but for {}", names[..shown].join(", ")),
                all => {
                    let shown = names[..MAX_NAMES].join(", ");
                    format!(", but for {shown} and {} more", all - MAX_NAMES)
                }
            };
            format!("its certificate is not valid for {name}{others}")
        }
        CertificateError::UnknownIssuer => {
            "its certificate comes from an unknown issuer".to_owned()
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its certificate has expired{}", day(" on ", *not_after))
        }
        CertificateError::Expired => "its certificate has expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("its certificate is not valid yet{}", day(", but from ", *not_before))
        }
        CertificateError::BadSignature => {
            "its certificate was not signed by the issuer that it names".to_owned()
        }
        CertificateError::Revoked => "its certificate was revoked".to_owned(),
        CertificateError::BadEncoding => "its certificate can't be read".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for servers".to_owned()
        }
        other => format!("its certificate is not accepted: {}", first_lower(&other.to_string())),
    }
}

fn of_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => "it wants a client certificate".to_owned(),
        AlertDescription::NoApplicationProtocol => NO_PROTOCOL.to_owned(),
        AlertDescription::UnrecognisedName => "it does not know the name".to_owned(),
        AlertDescription::ProtocolVersion => "it supports no version that is safe".to_owned(),
        AlertDescription::HandshakeFailure => {
            "it refuses the handshake: no cipher in common, or no client certificate".to_owned()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate => {
            format!("it does not accept the client certificate ({})", spaced(alert))
        }
        AlertDescription::AccessDenied => "it denies access to the client certificate".to_owned(),
        other => format!("it ends the handshake ({})", spaced(other)),
    }
}

/// `UnknownCA` as `unknown CA`.
fn spaced(alert: AlertDescription) -> String {
    let Some(name) = alert.as_str() else { return format!("alert {}", u8::from(alert)) };
    let mut text = String::new();
    let mut last_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && last_lower {
            text.push(' ');
        }
        last_lower = letter.is_ascii_lowercase();
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// `a.example` of `DnsName("a.example")`.
fn quoted(name: &str) -> Option<&str> {
    match name.split_once('"') {
        Some((_, rest)) => rest.rsplit_once('"').map(|(inner, _)| inner),
        None => Some(name),
    }
}

fn day(before: &str, time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(time) => {
            let (year, month, day) = time.to_calendar_date();
            format!("{before}{year:04}-{:02}-{day:02}", u8::from(month))
        }
        Err(_) => String::new(),
    }
}

/// The words of a library as the middle of a line; abbreviations stay.
pub(super) fn first_lower(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}
