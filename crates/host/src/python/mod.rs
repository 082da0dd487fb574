//! What compiled Python asks of its host: the operations of values that are more than a few
//! instructions.
//!
//! Everything behaves as in CPython, or the script stops with a reason. Arguments are words as
//! [`word`] describes them; none of them can be believed, since any object can call these helpers.

mod arena;
mod case;
mod chars;
mod codec;
mod codecs;
mod datetime;
mod dict;
mod fetch;
mod fetch_table;
mod format;
mod hashing;
mod int;
mod ip;
mod json;
mod json_text;
mod kinds;
mod letters;
mod modules_table;
mod oidc;
mod pad;
mod password;
mod patterns;
mod place;
mod re;
mod repr;
mod request;
mod response;
mod search;
mod sequence;
mod server;
mod shared;
mod split;
mod state;
mod stop;
mod text;
mod text_table;
mod unicode;
mod url;
mod word;

pub use fetch_table::FETCH;
pub use modules_table::MODULES;
pub use patterns::{Patterns, check_pattern};
pub(crate) use request::cookie_in;
pub(crate) use state::State;
pub use text_table::TEXT;
pub(crate) use url::pairs;

/// Exceptions by the number that helpers return; the compiler has the same ones.
pub(crate) mod exception {
    macro_rules! exceptions {
        ($($number:literal $constant:ident $name:literal;)+) => {
            $(#[allow(dead_code)] pub(crate) const $constant: u64 = $number;)+

            /// Names, from the first on.
            pub(crate) const NAMES: &[&str] = &[$($name),+];
        };
    }

    exceptions! {
        1 VALUE_ERROR "ValueError";
        2 KEY_ERROR "KeyError";
        3 INDEX_ERROR "IndexError";
        4 ZERO_DIVISION_ERROR "ZeroDivisionError";
        5 TYPE_ERROR "TypeError";
        6 ASSERTION_ERROR "AssertionError";
        7 RUNTIME_ERROR "RuntimeError";
        8 UNICODE_DECODE_ERROR "UnicodeDecodeError";
        9 UNICODE_ENCODE_ERROR "UnicodeEncodeError";
        10 JSON_DECODE_ERROR "JSONDecodeError";
        11 BINASCII_ERROR "binascii.Error";
        12 ATTRIBUTE_ERROR "AttributeError";
        13 OVERFLOW_ERROR "OverflowError";
        14 EXCEPTION "Exception";
        15 LOOKUP_ERROR "LookupError";
        16 ARITHMETIC_ERROR "ArithmeticError";
        17 NOT_IMPLEMENTED_ERROR "NotImplementedError";
        18 UNICODE_ERROR "UnicodeError";
        19 PERMISSION_ERROR "PermissionError";
        20 OS_ERROR "OSError";
        21 CONNECTION_ERROR "ConnectionError";
        22 TIMEOUT_ERROR "TimeoutError";
    }
}
