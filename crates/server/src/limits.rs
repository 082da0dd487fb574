//! Every limit of serving: one row each, from which the flags and docs/limits.md are made.

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Snake case, its unit last when it has one.
    pub name: &'static str,
    /// Value unless told otherwise.
    pub default: u64,
    /// Smallest value accepted.
    pub minimum: u64,
    /// Largest value accepted.
    pub maximum: u64,
    /// `bytes`, `seconds`, `connections` ...: what is counted.
    pub unit: &'static str,
    /// What happens beyond it, and why there is one.
    pub doc: &'static str,
}

macro_rules! limits {
    ($($name:ident: $unit:literal, $default:expr, $minimum:expr, $maximum:expr, $doc:literal;)*) => {
        /// The table, in the order in which help shows it.
        pub const LIMITS: &[Limit] = &[$(Limit {
            name: stringify!($name),
            default: $default,
            minimum: $minimum,
            maximum: $maximum,
            unit: $unit,
            doc: $doc,
        }),*];

        /// The values in force.
        #[derive(Clone, Debug)]
        pub struct Limits {
            $(#[doc = $doc] pub $name: u64,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// Change one; the error says what is allowed.
            pub fn set(&mut self, name: &str, value: u64) -> Result<(), String> {
                let slot = match name {
                    $(stringify!($name) => &mut self.$name,)*
                    _ => return Err(format!("unknown limit: {name}")),
                };
                let row = LIMITS.iter().find(|row| row.name == name);
                let range = row.map_or(0..=0, |row| row.minimum..=row.maximum);
                if !range.contains(&value) {
                    return Err(format!(
                        "{name}: {value} is not between {} and {}", range.start(), range.end(),
                    ));
                }
                *slot = value;
                Ok(())
            }
        }
    };
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const DAY_S: u64 = 86_400;

limits! {
    max_request_line_bytes: "bytes", 16 * KIB, 64, MIB,
        "longest request line; beyond it 414 and the connection closes. Bounds what an unfinished request can hold in memory";
    max_header_bytes: "bytes", 32 * KIB, 64, MIB,
        "longest header section of a request; beyond it 431 and the connection closes. Bounds memory like the request line";
    max_header_fields: "fields", 128, 1, 256,
        "most header fields of a request; beyond it 431 and the connection closes. Bounds the work of looking through them";
    max_body_bytes: "bytes", MIB, 0, 1 << 50,
        "longest request body; beyond it 413 and the connection closes. Files take no bodies: they are read past to reach the next request";
    max_upload_bytes: "bytes", 1 << 50, 0, 1 << 50,
        "longest request body that is passed on to an upstream; beyond it 413. It is passed on as it comes, so it costs no memory: upstreams have limits of their own";
    header_timeout_s: "seconds", 10, 1, DAY_S,
        "time for a request head to arrive once it has begun; beyond it 408. Against clients that send a byte now and then";
    body_timeout_s: "seconds", 60, 1, DAY_S,
        "time between two parts of a request body; beyond it 408";
    idle_timeout_s: "seconds", 75, 1, DAY_S,
        "time that a connection may lie idle between requests; then it closes";
    write_timeout_s: "seconds", 60, 1, DAY_S,
        "time in which a client must take some part of a response; then the connection closes. Against clients that stop reading";
    upstream_connect_timeout_s: "seconds", 5, 1, DAY_S,
        "time for a connection to an upstream that no pool has; beyond it 504";
    upstream_first_byte_timeout_s: "seconds", 60, 1, DAY_S,
        "time between the end of a request and the head of an upstream's response; beyond it 504";
    upstream_idle_timeout_s: "seconds", 60, 1, DAY_S,
        "time between two parts of a body that an upstream sends or takes; beyond it 504, or the end of a response that has begun";
    tunnel_timeout_s: "seconds", 3600, 1, DAY_S,
        "time in which nothing goes through a WebSocket or another tunnel; then it closes";
    max_connections: "connections", 16_384, 1, 1 << 20,
        "most open connections of each worker; further ones wait in the kernel's queue until one closes";
    max_http2_streams: "streams", 128, 1, 1024,
        "most requests under way at a time on an HTTP/2 connection; further ones are refused, which the client may try again. Bounds what one connection can hold";
    http2_window_bytes: "bytes", 256 * KIB, 64 * KIB, MIB * 1024,
        "bytes of one HTTP/2 request body that a client may send before it is told to go on; beyond it the stream ends";
    http2_connection_window_bytes: "bytes", MIB, 64 * KIB, MIB * 1024,
        "the same for all request bodies of an HTTP/2 connection together; beyond it the connection closes";
    max_http2_continuations: "frames", 16, 0, 1024,
        "most CONTINUATION frames of one HTTP/2 header block, whose bytes are bounded by request line and header section together; beyond it the connection closes. Against header blocks without end";
    max_http2_resets: "streams", 500, 1, 1 << 30,
        "most HTTP/2 streams that a client may cancel, or open beyond the limit, in 30 seconds; beyond it the connection closes. Against requests made only to be cancelled (CVE-2023-44487)";
    max_http2_faults: "streams", 100, 1, 1 << 30,
        "most HTTP/2 streams that the server has to end because of the client's mistakes in 30 seconds; beyond it the connection closes. Against clients that have the server do the cancelling (CVE-2025-8671)";
    max_http2_settings: "frames", 100, 1, 1 << 30,
        "most HTTP/2 SETTINGS frames in 30 seconds; beyond it the connection closes. Each has to be answered";
    max_http2_pings: "frames", 300, 1, 1 << 30,
        "most HTTP/2 PING frames in 30 seconds; beyond it the connection closes. Each has to be answered";
    max_http2_empty_frames: "frames", 100, 1, 1 << 30,
        "most HTTP/2 DATA frames without data, but for last ones, in 30 seconds; beyond it the connection closes. They cost work and no window";
    max_http2_small_frames: "frames", 2000, 1, 1 << 30,
        "most HTTP/2 DATA frames of less than 256 bytes that a client's windows may ask for in 30 seconds; beyond it the connection closes. Against windows opened byte by byte";
    max_http2_other_frames: "frames", 2000, 1, 1 << 30,
        "most HTTP/2 frames that speak of priorities or are not known, in 30 seconds; beyond it the connection closes";
    max_cache_bytes: "bytes", 32 * MIB, 0, 1 << 40,
        "memory for response heads and small bodies, shared by the workers; what was not used for longest goes first";
    cache_bytes: "bytes", 64 * MIB, 0, 1 << 40,
        "memory for answers of upstreams that scripts let be kept, shared by all sites and workers; what is not used goes first. 0 keeps none";
    keep_generations: "generations", 3, 0, 64,
        "earlier generations of a site that stay open for roll back. Each costs its index, its compiled scripts, a descriptor, and the disk space of an archive that was replaced; its cache is emptied";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_lie_in_their_ranges() {
        for row in LIMITS {
            assert!((row.minimum..=row.maximum).contains(&row.default), "{}", row.name);
            Limits::default().set(row.name, row.minimum).unwrap();
            assert!(Limits::default().set(row.name, row.maximum + 1).is_err());
        }
        assert!(Limits::default().set("nonsense", 1).is_err());
    }
}
