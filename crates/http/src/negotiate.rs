//! Proactive negotiation of content codings by Accept-Encoding (RFC 9110, section 12.5.3).

/// Weights in thousandths that a client gives the codings we can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// For brotli, zstd and gzip; 0 is "not acceptable".
    pub codings: [u16; 3],
    /// For no coding at all.
    pub identity: u16,
}

const NAMES: [&[u8]; 3] = [b"br", b"zstd", b"gzip"];

impl Weights {
    /// Read all Accept-Encoding lines of one request. Members that are not well-formed are
    /// passed over, as if they were not there.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut codings = [None; 3];
        let (mut identity, mut any) = (None, None);
        for member in lines.flat_map(|line| line.split(|&b| b == b',')) {
            let Some((name, weight)) = member_of(member) else { continue };
            let slot = if name == b"*" {
                &mut any
            } else if name.eq_ignore_ascii_case(b"identity") {
                &mut identity
            } else if name.eq_ignore_ascii_case(b"x-gzip") {
                &mut codings[2]
            } else if let Some(at) = NAMES.iter().position(|n| name.eq_ignore_ascii_case(n)) {
                &mut codings[at]
            } else {
                continue;
            };
            *slot = Some(weight);
        }
        Self {
            codings: codings.map(|weight: Option<u16>| weight.or(any).unwrap_or(0)),
            // Without a word identity is acceptable, but any coding asked for is better.
            identity: identity.or(any.filter(|&w| w == 0)).unwrap_or(1),
        }
    }

    /// The best of the codings that are there, as a position in `available`; `None` is identity,
    /// also when nothing is acceptable: an answer without coding is what RFC 9110 then advises.
    pub fn choose(&self, available: [bool; 3]) -> Option<usize> {
        let mut best = None;
        let mut best_weight = self.identity.saturating_sub(1);
        for (at, &weight) in self.codings.iter().enumerate() {
            if available[at] && weight > best_weight {
                best = Some(at);
                best_weight = weight;
            }
        }
        best
    }
}

/// Name and weight in thousandths of one list member.
fn member_of(member: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = member.split(|&b| b == b';');
    let name = parts.next()?.trim_ascii();
    if name.is_empty() {
        return None;
    }
    let mut weight = 1000;
    for parameter in parts {
        let parameter = parameter.trim_ascii();
        let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
        weight = weight_of(value)?;
    }
    Some((name, weight))
}

/// `0`, `0.5`, `1.000`: at most three digits after the point (RFC 9110, section 12.4.2).
fn weight_of(value: &[u8]) -> Option<u16> {
    let (&whole, rest) = value.split_first()?;
    let digits = match rest {
        [] => rest,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut weight = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    for (&digit, unit) in digits.iter().zip([100, 10, 1]) {
        weight += match digit {
            b'0'..=b'9' => u16::from(digit - b'0') * unit,
            _ => return None,
        };
    }
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(header: &str, available: [bool; 3]) -> &'static str {
        let weights = Weights::parse(std::iter::once(header.as_bytes()));
        weights.choose(available).map_or("identity", |at| ["br", "zstd", "gzip"][at])
    }

    #[test]
    fn choices() {
        let all = [true; 3];
        let gzip = [false, false, true];
        for (header, available, expected) in [
            ("gzip, deflate, br, zstd", all, "br"),
            ("gzip", all, "gzip"),
            ("x-gzip", all, "gzip"),
            ("GZIP", all, "gzip"),
            ("br;q=0.5, gzip;q=0.9", all, "gzip"),
            ("br;q=0.5, gzip;q=0.5", all, "br"),
            ("br;q=0, *", all, "zstd"),
            ("*", gzip, "gzip"),
            ("*;q=0", all, "identity"),
            ("*;q=0, gzip", all, "gzip"),
            ("gzip;q=0", all, "identity"),
            ("identity", all, "identity"),
            ("identity;q=1, gzip;q=0.5", all, "identity"),
            ("identity;q=0.5, gzip;q=0.8", all, "gzip"),
            ("identity;q=0.5, gzip;q=0.5", all, "gzip"),
            ("identity;q=0", gzip, "identity"),
            ("identity;q=0, gzip;q=0.1", gzip, "gzip"),
            ("gzip;q=0.001", all, "gzip"),
            ("gzip;q=2, br;q=x, zstd;q=0.1234", all, "identity"),
            ("gzip ; q=0.5 , ,br ;Q=0.25", all, "gzip"),
            ("deflate", all, "identity"),
            ("", all, "identity"),
        ] {
            assert_eq!(chosen(header, available), expected, "{header:?}");
        }
    }
}
