//! Which responses come first (RFC 9218).

/// What a client has said of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// 0 is needed first, 7 last.
    pub urgency: u8,
    /// Whether a part of it is of use: then it shares with others like it.
    pub incremental: bool,
}

impl Priority {
    /// Of a response of which nothing was said. It shares, unlike one whose client speaks of
    /// priorities and left this out: a client that knows nothing of them would find a short
    /// response stuck behind a long one.
    pub const UNSAID: Self = Self { urgency: 3, incremental: true };

    /// Read the value of a Priority field; what is not understood counts as not said.
    pub fn parse(value: &[u8]) -> Self {
        let mut priority = Self { urgency: 3, incremental: false };
        for member in value.split(|&byte| byte == b',') {
            // Parameters of a member mean nothing here.
            let member = member.split(|&byte| byte == b';').next().unwrap_or_default();
            match member.trim_ascii() {
                [b'u', b'=', urgency @ b'0'..=b'7'] => priority.urgency = urgency - b'0',
                b"i" | b"i=?1" => priority.incremental = true,
                b"i=?0" => priority.incremental = false,
                _ => {}
            }
        }
        priority
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        for (value, urgency, incremental) in [
            ("", 3, false),
            ("u=0", 0, false),
            ("u=7, i", 7, true),
            ("i,u=1", 1, true),
            ("i=?0, u=2;x=y", 2, false),
            ("u=8", 3, false),
            ("u=-1, i=?1", 3, true),
            ("u=5, u=6, nonsense", 6, false),
        ] {
            assert_eq!(
                Priority::parse(value.as_bytes()),
                Priority { urgency, incremental },
                "{value}"
            );
        }
    }
}
