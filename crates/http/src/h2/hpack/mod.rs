//! HPACK: the compressed form of header fields (RFC 7541).
//!
//! Decoding is whole, with a dynamic table of the size that every peer assumes. Encoding uses the
//! fixed table and the Huffman code only: see [`encode`] for why.

pub mod decode;
pub mod encode;
pub mod huffman;
pub mod table;

pub use decode::Decoder;
pub use encode::BlockCache;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn lines(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<String>, decode::Invalid> {
        let mut lines = Vec::new();
        decoder.decode(block, |name, value| {
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            lines.push(format!("{name}: {value}"));
        })?;
        Ok(lines)
    }

    /// RFC 7541, appendices C.3 and C.4: requests on one connection, without and with Huffman.
    #[test]
    fn requests_of_the_rfc() {
        for blocks in [
            [
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                "8286 84be 5808 6e6f 2d63 6163 6865",
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            ],
            [
                "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
                "8286 84be 5886 a8eb 1064 9cbf",
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            ],
        ] {
            let mut decoder = Decoder::default();
            let mut next = |at: usize| lines(&mut decoder, &hex(blocks[at])).unwrap();
            let start =
                [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
            assert_eq!(next(0), start);
            assert_eq!(next(1), [&start[..], &["cache-control: no-cache"]].concat());
            assert_eq!(
                next(2),
                [
                    ":method: GET",
                    ":scheme: https",
                    ":path: /index.html",
                    ":authority: www.example.com",
                    "custom-key: custom-value",
                ]
            );
        }
    }

    /// Appendices C.5 and C.6: responses, with a table so small that entries go.
    #[test]
    fn responses_of_the_rfc() {
        for blocks in [
            [
                "3fe1 01 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65
                 2e63 6f6d",
                "4803 3330 37c1 c0bf",
            ],
            [
                "3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                "4883 640e ffc1 c0bf",
            ],
        ] {
            let mut decoder = Decoder::default();
            let mut next = |at: usize| lines(&mut decoder, &hex(blocks[at])).unwrap();
            let rest = [
                "cache-control: private",
                "date: Mon, 21 Oct 2013 20:13:21 GMT",
                "location: https://www.example.com",
            ];
            assert_eq!(next(0), [&[":status: 302"], &rest[..]].concat());
            assert_eq!(next(1), [&[":status: 307"], &rest[..]].concat());
        }
    }

    #[test]
    fn invalid_blocks() {
        for block in [
            "80",
            "be",
            "ff",
            "ffffffffff7f",
            "41",
            "4105",
            "3fe21f",
            "8220",
            "0085",
            "7f",
            "4082ffff00",
        ] {
            assert!(lines(&mut Decoder::default(), &hex(block)).is_err(), "{block}");
        }
    }

    #[test]
    fn entries_that_are_too_large_empty_the_table() {
        let mut decoder = Decoder::default();
        assert_eq!(lines(&mut decoder, &hex("4001 6101 62")).unwrap(), ["a: b"]);
        assert_eq!(lines(&mut decoder, &hex("be")).unwrap(), ["a: b"]);
        // 5000 bytes of value.
        let mut block = hex("4001 617f 8926");
        block.extend_from_slice(&[b'x'; 5000]);
        assert_eq!(lines(&mut decoder, &block).unwrap()[0].len(), 5003);
        assert!(lines(&mut decoder, &hex("be")).is_err());
    }

    #[test]
    fn heads() {
        let head =
            b"HTTP/1.1 206 Partial Content\r\nDate: today\r\nConnection: close\r\nETag: \"x\"\r\n\
            X-Some-Name: Value \r\nSet-Cookie: a=b\r\n";
        let mut cache = BlockCache::default();
        for _ in 0..3 {
            let mut block = Vec::new();
            cache.encode(head, &mut block);
            assert_eq!(
                lines(&mut Decoder::default(), &block).unwrap(),
                [
                    ":status: 206",
                    "date: today",
                    "etag: \"x\"",
                    "x-some-name: Value",
                    "set-cookie: a=b"
                ]
            );
        }
        let mut block = Vec::new();
        cache.encode(b"HTTP/1.1 418 \r\n", &mut block);
        assert_eq!(lines(&mut Decoder::default(), &block).unwrap(), [":status: 418"]);
    }

    proptest! {
        #[test]
        fn fields_come_back(
            fields in prop::collection::vec(("[a-z-]{1,40}", "[ -~]{0,300}"), 0..12)
        ) {
            let mut block = Vec::new();
            for (name, value) in &fields {
                encode::encode_field(name.as_bytes(), value.as_bytes(), &mut block);
            }
            let expected: Vec<_> = fields.iter().map(|(n, v)| format!("{n}: {v}")).collect();
            prop_assert_eq!(lines(&mut Decoder::default(), &block).unwrap(), expected);
        }

        /// A table filled by indexing decodes as the plain list that the encoder had in mind.
        #[test]
        fn indexed_fields_come_back(
            picks in prop::collection::vec((0usize..20, 0usize..200), 1..80)
        ) {
            let mut decoder = Decoder::default();
            // What the table has to hold, newest first.
            let mut model: Vec<String> = Vec::new();
            for (pick, len) in picks {
                let (block, expected) = if pick < model.len() {
                    (vec![0x80 | (62 + pick) as u8], model[pick].clone())
                } else {
                    let value = "v".repeat(len);
                    let mut block = vec![0x40, 2, b'n', b'a' + pick as u8];
                    block.push(len.min(127) as u8);
                    if len >= 127 {
                        block.push((len - 127) as u8);
                    }
                    block.extend_from_slice(value.as_bytes());
                    let line = format!("n{}: {value}", (b'a' + pick as u8) as char);
                    model.insert(0, line.clone());
                    while model.iter().map(|line| line.len() - 2 + 32).sum::<usize>() > 4096 {
                        model.pop();
                    }
                    (block, line)
                };
                prop_assert_eq!(lines(&mut decoder, &block).unwrap(), [expected]);
            }
        }

        #[test]
        fn any_bytes_are_fine(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..5)) {
            let mut decoder = Decoder::default();
            for block in blocks {
                let _ = lines(&mut decoder, &block);
            }
        }
    }
}
