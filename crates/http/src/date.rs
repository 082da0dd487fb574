//! Dates of HTTP (RFC 9110, section 5.6.7), in seconds since 1970.

use std::time::{Duration, UNIX_EPOCH};

/// Bytes of a date in the preferred format: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const DATE_LEN: usize = 29;

/// Last second that the format can say: the year 9999 ends.
const MAX_SECONDS: i64 = 253_402_300_799;

/// A time in the preferred format; times outside of the years 1970 to 9999 are clipped.
pub fn format(seconds: i64) -> String {
    let seconds = seconds.clamp(0, MAX_SECONDS).cast_unsigned();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A date in any of the three formats that RFC 9110 requires.
pub fn parse(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let time = httpdate::parse_http_date(text).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    i64::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_formats() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(format(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse(b"yesterday"), None);
        assert_eq!(format(i64::MAX).len(), DATE_LEN);
        assert_eq!(format(-1).len(), DATE_LEN);
    }
}
