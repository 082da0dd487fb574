//! Rows of the helpers for str, bytes and int, numbered from 1001.

use crate::python::text::{BYTES, STR};
use crate::python::{
    case, codec, dict, format, int, kinds, pad, place, repr, search, sequence, split, stop,
};
use crate::row::{Row, python_rows};

/// By number; a row may be added at the end, but never removed, moved or given another meaning.
///
/// `out` is where the words of the result are stored: then 0 is returned, or an exception's number.
#[rustfmt::skip] // a table
pub static TEXT: &[Row] = python_rows! {
    1001 "zs_py_raise", "kind, message, place", 200, stop::raise,
    "End the run with an exception; message 0 is what a helper reported last.";
    1002 "zs_py_stop", "limit, place", 200, stop::limit,
    "End the run at a limit that CPython does not have.";
    1003 "zs_py_alloc", "bytes", 20, place::alloc,
    "Address of so many bytes of the heap.";
    1004 "zs_py_str_startswith", "s, sub, start, end", 40, search::startswith::<STR>,
    "str.startswith";
    1005 "zs_py_bytes_startswith", "s, sub, start, end", 40, search::startswith::<BYTES>,
    "bytes.startswith";
    1006 "zs_py_str_endswith", "s, sub, start, end", 40, search::endswith::<STR>,
    "str.endswith";
    1007 "zs_py_bytes_endswith", "s, sub, start, end", 40, search::endswith::<BYTES>,
    "bytes.endswith";
    1008 "zs_py_str_removeprefix", "s, sub", 40, search::removeprefix::<STR>,
    "str.removeprefix";
    1009 "zs_py_bytes_removeprefix", "s, sub", 40, search::removeprefix::<BYTES>,
    "bytes.removeprefix";
    1010 "zs_py_str_removesuffix", "s, sub", 40, search::removesuffix::<STR>,
    "str.removesuffix";
    1011 "zs_py_bytes_removesuffix", "s, sub", 40, search::removesuffix::<BYTES>,
    "bytes.removesuffix";
    1012 "zs_py_str_strip", "s, chars", 50, split::strip::<STR>,
    "str.strip";
    1013 "zs_py_bytes_strip", "s, chars", 50, split::strip::<BYTES>,
    "bytes.strip";
    1014 "zs_py_str_lstrip", "s, chars", 50, split::lstrip::<STR>,
    "str.lstrip";
    1015 "zs_py_bytes_lstrip", "s, chars", 50, split::lstrip::<BYTES>,
    "bytes.lstrip";
    1016 "zs_py_str_rstrip", "s, chars", 50, split::rstrip::<STR>,
    "str.rstrip";
    1017 "zs_py_bytes_rstrip", "s, chars", 50, split::rstrip::<BYTES>,
    "bytes.rstrip";
    1018 "zs_py_str_split", "s, sep, maxsplit, out", 100, split::split::<STR>,
    "str.split";
    1019 "zs_py_bytes_split", "s, sep, maxsplit, out", 100, split::split::<BYTES>,
    "bytes.split";
    1020 "zs_py_str_rsplit", "s, sep, maxsplit, out", 100, split::rsplit::<STR>,
    "str.rsplit";
    1021 "zs_py_bytes_rsplit", "s, sep, maxsplit, out", 100, split::rsplit::<BYTES>,
    "bytes.rsplit";
    1022 "zs_py_str_splitlines", "s, keepends", 100, split::splitlines::<STR>,
    "str.splitlines";
    1023 "zs_py_bytes_splitlines", "s, keepends", 100, split::splitlines::<BYTES>,
    "bytes.splitlines";
    1024 "zs_py_str_partition", "s, sep, out", 60, search::partition::<STR>,
    "str.partition";
    1025 "zs_py_bytes_partition", "s, sep, out", 60, search::partition::<BYTES>,
    "bytes.partition";
    1026 "zs_py_str_rpartition", "s, sep, out", 60, search::rpartition::<STR>,
    "str.rpartition";
    1027 "zs_py_bytes_rpartition", "s, sep, out", 60, search::rpartition::<BYTES>,
    "bytes.rpartition";
    1028 "zs_py_str_replace", "s, old, new, count", 100, search::replace::<STR>,
    "str.replace";
    1029 "zs_py_bytes_replace", "s, old, new, count", 100, search::replace::<BYTES>,
    "bytes.replace";
    1030 "zs_py_str_find", "s, sub, start, end", 50, search::find::<STR>,
    "str.find";
    1031 "zs_py_bytes_find", "s, sub, start, end", 50, search::find::<BYTES>,
    "bytes.find";
    1032 "zs_py_str_rfind", "s, sub, start, end", 50, search::rfind::<STR>,
    "str.rfind";
    1033 "zs_py_bytes_rfind", "s, sub, start, end", 50, search::rfind::<BYTES>,
    "bytes.rfind";
    1034 "zs_py_str_index", "s, sub, start, end, out", 50, search::index::<STR>,
    "str.index";
    1035 "zs_py_bytes_index", "s, sub, start, end, out", 50, search::index::<BYTES>,
    "bytes.index";
    1036 "zs_py_str_rindex", "s, sub, start, end, out", 50, search::rindex::<STR>,
    "str.rindex";
    1037 "zs_py_bytes_rindex", "s, sub, start, end, out", 50, search::rindex::<BYTES>,
    "bytes.rindex";
    1038 "zs_py_str_count", "s, sub, start, end", 50, search::count::<STR>,
    "str.count";
    1039 "zs_py_bytes_count", "s, sub, start, end", 50, search::count::<BYTES>,
    "bytes.count";
    1040 "zs_py_str_join", "s, iterable", 60, split::join::<STR>,
    "str.join";
    1041 "zs_py_bytes_join", "s, iterable", 60, split::join::<BYTES>,
    "bytes.join";
    1042 "zs_py_str_lower", "s", 60, case::lower::<STR>,
    "str.lower";
    1043 "zs_py_bytes_lower", "s", 60, case::lower::<BYTES>,
    "bytes.lower";
    1044 "zs_py_str_upper", "s", 60, case::upper::<STR>,
    "str.upper";
    1045 "zs_py_bytes_upper", "s", 60, case::upper::<BYTES>,
    "bytes.upper";
    1046 "zs_py_str_title", "s", 60, case::title::<STR>,
    "str.title";
    1047 "zs_py_bytes_title", "s", 60, case::title::<BYTES>,
    "bytes.title";
    1048 "zs_py_str_capitalize", "s", 60, case::capitalize::<STR>,
    "str.capitalize";
    1049 "zs_py_bytes_capitalize", "s", 60, case::capitalize::<BYTES>,
    "bytes.capitalize";
    1050 "zs_py_str_swapcase", "s", 60, case::swapcase::<STR>,
    "str.swapcase";
    1051 "zs_py_bytes_swapcase", "s", 60, case::swapcase::<BYTES>,
    "bytes.swapcase";
    1052 "zs_py_str_isdigit", "s", 40, kinds::isdigit::<STR>,
    "str.isdigit";
    1053 "zs_py_bytes_isdigit", "s", 40, kinds::isdigit::<BYTES>,
    "bytes.isdigit";
    1054 "zs_py_str_isalpha", "s", 40, kinds::isalpha::<STR>,
    "str.isalpha";
    1055 "zs_py_bytes_isalpha", "s", 40, kinds::isalpha::<BYTES>,
    "bytes.isalpha";
    1056 "zs_py_str_isalnum", "s", 40, kinds::isalnum::<STR>,
    "str.isalnum";
    1057 "zs_py_bytes_isalnum", "s", 40, kinds::isalnum::<BYTES>,
    "bytes.isalnum";
    1058 "zs_py_str_isspace", "s", 40, kinds::isspace::<STR>,
    "str.isspace";
    1059 "zs_py_bytes_isspace", "s", 40, kinds::isspace::<BYTES>,
    "bytes.isspace";
    1060 "zs_py_str_isupper", "s", 40, kinds::isupper::<STR>,
    "str.isupper";
    1061 "zs_py_bytes_isupper", "s", 40, kinds::isupper::<BYTES>,
    "bytes.isupper";
    1062 "zs_py_str_islower", "s", 40, kinds::islower::<STR>,
    "str.islower";
    1063 "zs_py_bytes_islower", "s", 40, kinds::islower::<BYTES>,
    "bytes.islower";
    1064 "zs_py_str_istitle", "s", 40, kinds::istitle::<STR>,
    "str.istitle";
    1065 "zs_py_bytes_istitle", "s", 40, kinds::istitle::<BYTES>,
    "bytes.istitle";
    1066 "zs_py_str_isascii", "s", 40, kinds::isascii::<STR>,
    "str.isascii";
    1067 "zs_py_bytes_isascii", "s", 40, kinds::isascii::<BYTES>,
    "bytes.isascii";
    1068 "zs_py_str_zfill", "s, width", 60, pad::zfill::<STR>,
    "str.zfill";
    1069 "zs_py_bytes_zfill", "s, width", 60, pad::zfill::<BYTES>,
    "bytes.zfill";
    1070 "zs_py_str_ljust", "s, width, fillchar, out", 60, pad::ljust::<STR>,
    "str.ljust";
    1071 "zs_py_bytes_ljust", "s, width, fillchar, out", 60, pad::ljust::<BYTES>,
    "bytes.ljust";
    1072 "zs_py_str_rjust", "s, width, fillchar, out", 60, pad::rjust::<STR>,
    "str.rjust";
    1073 "zs_py_bytes_rjust", "s, width, fillchar, out", 60, pad::rjust::<BYTES>,
    "bytes.rjust";
    1074 "zs_py_str_center", "s, width, fillchar, out", 60, pad::center::<STR>,
    "str.center";
    1075 "zs_py_bytes_center", "s, width, fillchar, out", 60, pad::center::<BYTES>,
    "bytes.center";
    1076 "zs_py_str_expandtabs", "s, tabsize", 60, pad::expandtabs::<STR>,
    "str.expandtabs";
    1077 "zs_py_bytes_expandtabs", "s, tabsize", 60, pad::expandtabs::<BYTES>,
    "bytes.expandtabs";
    1078 "zs_py_str_casefold", "s", 60, case::casefold,
    "str.casefold";
    1079 "zs_py_str_isdecimal", "s", 40, kinds::isdecimal,
    "str.isdecimal";
    1080 "zs_py_str_isnumeric", "s", 40, kinds::isnumeric,
    "str.isnumeric";
    1081 "zs_py_str_isidentifier", "s", 40, kinds::isidentifier,
    "str.isidentifier";
    1082 "zs_py_str_isprintable", "s", 40, kinds::isprintable,
    "str.isprintable";
    1083 "zs_py_str_encode", "s, codec, errors, out", 60, codec::encode,
    "str.encode; codec is 0 for utf-8, 1 for ascii, 2 for latin-1; errors is 0 for strict,\n\
     1 ignore, 2 replace, 3 surrogateescape, 4 backslashreplace.";
    1084 "zs_py_bytes_decode", "b, codec, errors, out", 60, codec::decode,
    "bytes.decode; codec and errors as for zs_py_str_encode.";
    1085 "zs_py_bytes_hex", "b", 60, codec::hex,
    "bytes.hex";
    1086 "zs_py_bytes_fromhex", "string, out", 60, codec::fromhex,
    "bytes.fromhex";
    1087 "zs_py_str_eq", "a, b", 30, sequence::eq,
    "Whether two str, or two bytes, are equal; 0 is None.";
    1088 "zs_py_str_cmp", "a, b", 30, sequence::cmp,
    "-1, 0 or 1: the order of two str, or of two bytes.";
    1089 "zs_py_str_len", "s", 30, sequence::len,
    "len of a str.";
    1090 "zs_py_str_at", "s, index, out", 40, sequence::str_at,
    "A character of a str by index.";
    1091 "zs_py_bytes_at", "b, index, out", 40, sequence::bytes_at,
    "A byte by index.";
    1092 "zs_py_str_slice", "s, start, stop, step, out", 50, sequence::slice::<STR>,
    "A slice; a start or stop of -2^63 is absent.";
    1093 "zs_py_bytes_slice", "s, start, stop, step, out", 50, sequence::slice::<BYTES>,
    "A slice; a start or stop of -2^63 is absent.";
    1094 "zs_py_list_slice", "list, start, stop, step, each", 60, sequence::list_slice,
    "A slice of a list whose elements have so many words each; the step is not 0.";
    1095 "zs_py_str_contains", "s, sub", 50, search::contains::<STR>,
    "Whether one text is in another.";
    1096 "zs_py_bytes_contains", "s, sub", 50, search::contains::<BYTES>,
    "Whether one text is in another.";
    1097 "zs_py_bytes_contains_int", "b, number, out", 50, sequence::bytes_contains_int,
    "Whether a byte is in bytes.";
    1098 "zs_py_list_contains", "list, item", 50, sequence::list_contains,
    "Whether a str or bytes is in a list.";
    1099 "zs_py_str_concat", "words, count", 60, split::concat::<STR>,
    "Texts, whose words stand at an address, one after another.";
    1100 "zs_py_bytes_concat", "words, count", 60, split::concat::<BYTES>,
    "Texts, whose words stand at an address, one after another.";
    1101 "zs_py_str_repeat", "s, times", 60, pad::repeat::<STR>,
    "A text so many times.";
    1102 "zs_py_bytes_repeat", "s, times", 60, pad::repeat::<BYTES>,
    "A text so many times.";
    1103 "zs_py_str_iter", "s", 60, split::iter,
    "A list of the characters of a str.";
    1104 "zs_py_str_repr", "s", 60, repr::repr::<STR>,
    "repr";
    1105 "zs_py_bytes_repr", "s", 60, repr::repr::<BYTES>,
    "repr";
    1106 "zs_py_str_of_int", "number", 60, int::to_str,
    "str of an int.";
    1107 "zs_py_int_base", "number, base", 60, int::in_base,
    "bin, oct or hex: base is 2, 8 or 16.";
    1108 "zs_py_int_format", "number, spec, out", 100, format::int,
    "format of an int.";
    1109 "zs_py_str_format", "s, spec, out", 100, format::str,
    "format of a str.";
    1110 "zs_py_int_parse", "s, base, out", 60, int::from_text::<STR>,
    "int of a str.";
    1111 "zs_py_int_parse_bytes", "b, base, out", 60, int::from_text::<BYTES>,
    "int of bytes.";
    1112 "zs_py_int_to_bytes", "number, length, order, signed, out", 60, int::to_bytes,
    "int.to_bytes; order is 0 for big, 1 for little.";
    1113 "zs_py_int_from_bytes", "b, order, signed", 60, int::from_bytes,
    "int.from_bytes; order as for zs_py_int_to_bytes.";
    1114 "zs_py_int_pow", "base, exponent, modulus, out", 60, int::pow,
    "pow; a modulus of -2^63 is absent.";
    1115 "zs_py_int_isqrt", "n, out", 60, int::isqrt,
    "math.isqrt";
    1116 "zs_py_int_factorial", "n, out", 60, int::factorial,
    "math.factorial";
    1117 "zs_py_int_comb", "n, k, out", 60, int::comb,
    "math.comb";
    1118 "zs_py_int_perm", "n, k, out", 60, int::perm,
    "math.perm";
    1119 "zs_py_str_ord", "c, out", 30, sequence::ord::<STR>,
    "ord of a str.";
    1120 "zs_py_bytes_ord", "c, out", 30, sequence::ord::<BYTES>,
    "ord of bytes.";
    1121 "zs_py_chr", "number, out", 40, sequence::chr,
    "chr";
    1122 "zs_py_dict_find", "table, key, kind", 60, dict::find,
    "The number of the entry with a key, or -1; kind is 0 for str and bytes, 1 for int.";
    1123 "zs_py_uint_format", "number, spec, out", 100, format::uint,
    "format of an int without a sign.";
    1124 "zs_py_int_gcd", "a, b", 80, int::gcd,
    "math.gcd";
    1125 "zs_py_int_lcm", "a, b", 80, int::lcm,
    "math.lcm";
};
