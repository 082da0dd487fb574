//! The Huffman code of HPACK (RFC 7541, appendix B).
//!
//! The code is canonical: codes of one length follow each other in the order of their bytes, and
//! longer ones come after shorter ones. So the lengths alone make all tables, when this is built.

/// Bits of the code of each byte.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// The longest code; the end of a string is one of that length and never sent.
const LONGEST: usize = 30;

/// Bits that one look into the table of short codes takes: letters and digits have no more.
const SHORT: usize = 8;

struct Tables {
    /// Code of each byte, right-aligned.
    codes: [u32; 256],
    /// Bytes in the order of their codes.
    sorted: [u8; 256],
    /// For each length, the first code of that length.
    first: [u32; LONGEST + 1],
    /// For each length, how many codes are shorter.
    before: [u16; LONGEST + 1],
    /// For each length, how many codes have it.
    count: [u16; LONGEST + 1],
    /// Byte and length of what begins with these bits; length 0 when the code is longer.
    short: [(u8, u8); 1 << SHORT],
}

const TABLES: Tables = make();

const fn make() -> Tables {
    let mut tables = Tables {
        codes: [0; 256],
        sorted: [0; 256],
        first: [0; LONGEST + 1],
        before: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        short: [(0, 0); 1 << SHORT],
    };
    let (mut code, mut at, mut length) = (0u32, 0usize, 1usize);
    while length <= LONGEST {
        code <<= 1;
        tables.first[length] = code;
        tables.before[length] = at as u16;
        let mut byte = 0;
        while byte < 256 {
            if LENGTHS[byte] as usize == length {
                tables.codes[byte] = code;
                tables.sorted[at] = byte as u8;
                if length <= SHORT {
                    let start = (code as usize) << (SHORT - length);
                    let mut fill = 0;
                    while fill < 1 << (SHORT - length) {
                        tables.short[start + fill] = (byte as u8, length as u8);
                        fill += 1;
                    }
                }
                code += 1;
                at += 1;
                tables.count[length] += 1;
            }
            byte += 1;
        }
        length += 1;
    }
    tables
}

static STATIC_TABLES: Tables = TABLES;

/// The bits are no string in this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Append what `input` stands for.
pub fn decode(input: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    let tables = &STATIC_TABLES;
    // The next bits, left-aligned.
    let (mut bits, mut held) = (0u64, 0u32);
    let mut input = input.iter();
    loop {
        while held <= 56 {
            let Some(&byte) = input.next() else { break };
            bits |= u64::from(byte) << (56 - held);
            held += 8;
        }
        if held == 0 {
            return Ok(());
        }
        let (byte, length) = tables.short[(bits >> (64 - SHORT)) as usize];
        let (byte, length) = if length > 0 { (byte, u32::from(length)) } else { long(bits)? };
        if length > held {
            // What fills the last byte is the beginning of the code that ends a string.
            let padding = held < 8 && bits.leading_ones() >= held;
            return if padding { Ok(()) } else { Err(Invalid) };
        }
        out.push(byte);
        bits <<= length;
        held -= length;
    }
}

/// The byte whose code, longer than [`SHORT`], these bits begin with. Zeros behind the end of the
/// input make it some code; its length tells.
fn long(bits: u64) -> Result<(u8, u32), Invalid> {
    let tables = &STATIC_TABLES;
    for length in SHORT + 1..=LONGEST {
        let code = (bits >> (64 - length)) as u32;
        let at = code.wrapping_sub(tables.first[length]);
        if at < u32::from(tables.count[length]) {
            return Ok((
                tables.sorted[usize::from(tables.before[length]) + at as usize],
                length as u32,
            ));
        }
    }
    Err(Invalid)
}

/// Bytes that `text` takes when it is encoded.
pub fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|&byte| usize::from(LENGTHS[usize::from(byte)])).sum();
    bits.div_ceil(8)
}

/// Append `text` in this code.
pub fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0u64, 0u32);
    for &byte in text {
        let length = u32::from(LENGTHS[usize::from(byte)]);
        bits = bits << length | u64::from(STATIC_TABLES.codes[usize::from(byte)]);
        held += length;
        while held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    if held > 0 {
        out.push((bits << (8 - held)) as u8 | 0xff >> held);
    }
}

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

    #[test]
    fn examples_of_the_rfc() {
        for (text, code) in [
            ("www.example.com", "f1e3 c2e5 f23a 6ba0 ab90 f4ff"),
            ("no-cache", "a8eb 1064 9cbf"),
            ("302", "6402"),
            (
                "Mon, 21 Oct 2013 20:13:21 GMT",
                "d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff",
            ),
        ] {
            let mut out = Vec::new();
            encode(text.as_bytes(), &mut out);
            assert_eq!(out, hex(code), "{text}");
            assert_eq!(encoded_len(text.as_bytes()), out.len());
            let mut back = Vec::new();
            decode(&out, &mut back).unwrap();
            assert_eq!(back, text.as_bytes());
        }
    }

    #[test]
    fn what_fills_the_last_byte_is_checked() {
        let refused: [&[u8]; 6] = [
            // The end of a string, sent.
            &[0xff, 0xff, 0xff, 0xff],
            &[0xff, 0xff, 0xff, 0xfc],
            // A whole byte of filling.
            &[0x1f, 0xff],
            &[0xff],
            // Filling of zeros: `0` is five bits.
            &[0x00],
            &[0x18],
        ];
        for input in refused {
            assert_eq!(decode(input, &mut Vec::new()), Err(Invalid), "{input:x?}");
        }
        let mut out = Vec::new();
        assert_eq!((decode(&[0x1f], &mut out), out.as_slice()), (Ok(()), &b"a"[..]));
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut code = Vec::new();
            encode(&text, &mut code);
            prop_assert_eq!(code.len(), encoded_len(&text));
            let mut back = Vec::new();
            prop_assert_eq!(decode(&code, &mut back), Ok(()));
            prop_assert_eq!(back, text);
        }

        #[test]
        fn there_is_one_encoding_of_each_text(code in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut text = Vec::new();
            if decode(&code, &mut text).is_ok() {
                let mut again = Vec::new();
                encode(&text, &mut again);
                prop_assert_eq!(again, code);
            }
        }
    }
}
