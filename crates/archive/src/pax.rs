//! Extended headers of POSIX.1-2001: `LENGTH KEY=VALUE\n`, LENGTH counting the whole record.

/// The keys of one extended header that change how the next entry is read.
#[derive(Default)]
pub(crate) struct Pax {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link_path: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) mtime: Option<i64>,
    /// Any of GNU's keys for sparse files.
    pub(crate) sparse: bool,
}

/// Longest extended header, in bytes; real ones hold a path and a few times.
pub(crate) const MAX_PAX_BYTES: u64 = 1024 * 1024;

impl Pax {
    pub(crate) fn parse(mut data: &[u8]) -> Result<Self, String> {
        let mut pax = Self::default();
        while !data.is_empty() {
            let (record, rest) = split_record(data)?;
            pax.apply(record)?;
            data = rest;
        }
        Ok(pax)
    }

    /// A global header may only say what does not change where entries begin or are called.
    pub(crate) fn changes_entries(&self) -> bool {
        self.path.is_some() || self.link_path.is_some() || self.size.is_some() || self.sparse
    }

    fn apply(&mut self, record: &[u8]) -> Result<(), String> {
        let equals =
            record.iter().position(|&b| b == b'=').ok_or("an extended header record has no '='")?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => set_once(&mut self.path, value.to_vec(), "path")?,
            b"linkpath" => set_once(&mut self.link_path, value.to_vec(), "linkpath")?,
            b"size" => {
                let size = decimal(value).ok_or_else(|| bad_value("size", value))?;
                set_once(&mut self.size, size, "size")?;
            }
            b"mtime" => {
                let mtime = seconds(value).ok_or_else(|| bad_value("mtime", value))?;
                set_once(&mut self.mtime, mtime, "mtime")?;
            }
            _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
            _ => {}
        }
        Ok(())
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T, key: &str) -> Result<(), String> {
    if slot.is_some() {
        return Err(format!("the extended header has two values for '{key}'"));
    }
    *slot = Some(value);
    Ok(())
}

fn bad_value(key: &str, value: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(value).chars().take(40).collect();
    format!("the extended header's {key} '{}' is not a number", shown.escape_default())
}

/// The first record without its length and newline, and what follows it.
fn split_record(data: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let wrong = || "an extended header record has a wrong length".to_owned();
    let space = data.iter().take(20).position(|&b| b == b' ').ok_or_else(wrong)?;
    let length = decimal(&data[..space]).ok_or_else(wrong)?;
    let length = usize::try_from(length).map_err(|_| wrong())?;
    if length <= space + 1 || length > data.len() || data[length - 1] != b'\n' {
        return Err(wrong());
    }
    Ok((&data[space + 1..length - 1], &data[length..]))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Seconds with an optional fraction, rounded down.
fn seconds(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (negative, digits) = match whole.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, whole),
    };
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = i64::try_from(decimal(digits.as_bytes())?).ok()?;
    let below = fraction.bytes().any(|b| b != b'0');
    Some(if negative { -value - i64::from(below) } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let pax = Pax::parse(b"12 path=a/b\n21 mtime=1234.987654\n11 size=77\n").unwrap();
        assert_eq!(pax.path.as_deref(), Some(&b"a/b"[..]));
        assert_eq!(pax.mtime, Some(1234));
        assert_eq!(pax.size, Some(77));
        assert_eq!(seconds(b"-1.5"), Some(-2));
    }

    #[test]
    fn wrong_records_are_refused() {
        for bad in [
            &b"11 path=a/b\n"[..],
            b"99 path=a/b\n",
            b"0 path=a\n",
            b"path=a\n",
            b"8 path\n\n",
            b"12 size=0x1\n",
            b"12 size=-01\n",
            b"9 path=a\n9 path=b\n",
            b"99999999999999999999 path=a\n",
        ] {
            assert!(Pax::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
