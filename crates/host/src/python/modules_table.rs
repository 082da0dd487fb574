//! Rows of the helpers for modules and for requests, numbered from 1201.

use crate::python::{
    codecs, datetime, hashing, ip, json, password, re, request, response, server, shared, url,
};
use crate::row::{Row, python_rows};

/// By number; a row may be added at the end, but never removed, moved or given another meaning.
#[rustfmt::skip] // a table
pub static MODULES: &[Row] = python_rows! {
    1201 "zs_py_req_field", "field", 80, request::field,
    "A text of the request by its number; 0 where it is not there.";
    1202 "zs_py_req_peer_port", "void", 40, request::peer_port,
    "Port of who connected; 0 for a Unix socket.";
    1203 "zs_py_req_header", "name", 80, request::header,
    "The values of a header, joined with commas, or 0.";
    1204 "zs_py_req_query_param", "name", 150, request::query_param,
    "The first parameter of that name, decoded, or 0.";
    1205 "zs_py_req_cookie", "name", 120, request::cookie,
    "The first cookie of that name without quotes, or 0.";
    1206 "zs_py_req_body", "void", 300, request::body,
    "The request body.";
    1207 "zs_py_req_json", "out", 400, json::request_json,
    "The request body as a JSON value.";
    1208 "zs_py_req_set_header", "name, value", 120, request::set_header,
    "Replace a header of the request.";
    1209 "zs_py_req_delete_header", "name", 80, request::delete_header,
    "Remove a header of the request.";
    1210 "zs_py_req_rewrite", "path", 200, request::rewrite,
    "Change path and query of the request.";
    1211 "zs_py_req_set_method", "method", 80, request::set_method,
    "Change the method of the request.";
    1212 "zs_py_meta_get", "key", 80, server::meta_get,
    "Metadata of a key, or 0.";
    1213 "zs_py_meta_set", "key, value", 150, server::meta_set,
    "Set metadata of a key.";
    1214 "zs_py_meta_has", "key", 80, server::meta_has,
    "Whether there is metadata of a key.";
    1215 "zs_py_response", "status, body, content_type, is_bytes, out", 200, response::response,
    "A handle of a response; content_type may be 0.";
    1216 "zs_py_response_header", "response, name, value", 120, response::add_header,
    "Add a header to a response.";
    1217 "zs_py_redirect", "url, status, out", 200, response::redirect,
    "A handle of a redirect.";
    1218 "zs_py_proxy", "url, out", 200, response::proxy,
    "A handle of what an upstream says.";
    1219 "zs_py_abort", "void", 60, response::abort,
    "A handle of no answer at all.";
    1220 "zs_py_answer", "response", 80, response::answer,
    "Answer with a response.";
    1221 "zs_py_res_status", "void", 30, response::status_of,
    "Status of the response that a hook sees.";
    1222 "zs_py_res_set_status", "status", 40, response::set_status,
    "Change the status of the response.";
    1223 "zs_py_res_header", "name", 80, response::header,
    "The values of a header of the response, or 0.";
    1224 "zs_py_res_set_header", "name, value", 120, response::set_header,
    "Replace a header of the response.";
    1225 "zs_py_res_append_header", "name, value", 120, response::append_header,
    "Add a header to the response.";
    1226 "zs_py_res_delete_header", "name", 80, response::delete_header,
    "Remove a header of the response.";
    1227 "zs_py_log", "message", 80, server::log,
    "Write a line to the log.";
    1228 "zs_py_env", "name", 100, server::env,
    "A variable of the environment, or 0.";
    1229 "zs_py_rate_limit", "key, per_second, per_minute, per_hour, out", 150, server::rate_limit,
    "Count against limits; whether they allow it.";
    1230 "zs_py_table_get", "table, key, out", 200, shared::get,
    "Look a key up; 1, and the value in out, or 0.";
    1231 "zs_py_table_set", "table, key, value", 250, shared::set,
    "Set the value of a key.";
    1232 "zs_py_table_add", "table, key, n", 250, shared::add,
    "Add to the number of a key, which is 0 at first; the sum.";
    1233 "zs_py_table_delete", "table, key", 200, shared::delete,
    "Forget a key.";
    1234 "zs_py_json_loads", "s, is_bytes, out", 200, json::loads,
    "Read JSON from a str or from bytes.";
    1235 "zs_py_json_kind", "json", 30, json::kind,
    "0 null, 1 bool, 2 int, 3 float, 4 str, 5 list, 6 dict.";
    1236 "zs_py_json_item", "json, key, out", 60, json::item,
    "A value of a dict.";
    1237 "zs_py_json_index", "json, index, out", 60, json::index,
    "An element of a list, or a character.";
    1238 "zs_py_json_get", "json, key, out", 60, json::get,
    "Whether a dict has a key, and its value.";
    1239 "zs_py_json_len", "json, out", 40, json::len,
    "How long a list, dict or str is.";
    1240 "zs_py_json_has", "json, key, out", 60, json::has,
    "Whether a str is in a dict, list or str.";
    1241 "zs_py_json_bool", "json", 30, json::truth,
    "Whether a value is true.";
    1242 "zs_py_json_as_str", "json", 60, json::as_str,
    "The str that a value has to be.";
    1243 "zs_py_json_as_int", "json", 30, json::as_int,
    "The int that a value has to be.";
    1244 "zs_py_json_as_bool", "json", 30, json::as_bool,
    "The bool that a value has to be.";
    1245 "zs_py_json_eq_str", "json, s", 40, json::eq_str,
    "Whether a value is equal to a str.";
    1246 "zs_py_json_eq_int", "json, i", 40, json::eq_int,
    "Whether a value is equal to an int.";
    1247 "zs_py_json_eq", "json, other", 60, json::eq,
    "Whether two values are equal.";
    1248 "zs_py_json_of_str", "s", 60, json::of_str,
    "A value that is a str.";
    1249 "zs_py_json_of_int", "i", 40, json::of_int,
    "A value that is an int.";
    1250 "zs_py_json_of_bool", "b", 40, json::of_bool,
    "A value that is a bool.";
    1251 "zs_py_json_keys", "json, out", 80, json::keys,
    "The keys of a dict.";
    1252 "zs_py_json_values", "json, out", 80, json::values,
    "The values of a dict.";
    1253 "zs_py_json_items", "json, out", 80, json::items,
    "Keys and values of a dict, two words each.";
    1254 "zs_py_json_iter", "json, out", 80, json::iterate,
    "Elements of a list, keys of a dict, characters of a str.";
    1255 "zs_py_json_str", "json", 80, json::text_of,
    "A value as str() shows it.";
    1256 "zs_py_json_dumps", "json, flags", 150, json::dumps,
    "A value as JSON; bit 0: ASCII alone, bit 1: without spaces.";
    1257 "zs_py_json_quote", "s, ensure_ascii", 80, json::quote_text,
    "A str as JSON.";
    1258 "zs_py_re_search", "pattern, string", 300, re::search,
    "A match, or 0.";
    1259 "zs_py_re_group", "match, group", 40, re::group,
    "The text of a group, or 0.";
    1260 "zs_py_re_span", "match, group, out", 40, re::span,
    "Where a group begins and ends, or -1 and -1.";
    1261 "zs_py_re_sub", "pattern, repl, string, count", 400, re::sub,
    "The string with matches replaced.";
    1262 "zs_py_re_findall", "pattern, string", 400, re::findall,
    "All matches, or their group.";
    1263 "zs_py_re_escape", "pattern", 60, re::escape,
    "A text as a pattern of itself.";
    1264 "zs_py_quote", "string, safe, out", 100, url::quote,
    "urllib.parse.quote.";
    1265 "zs_py_quote_plus", "string, safe, out", 100, url::quote_plus,
    "urllib.parse.quote_plus.";
    1266 "zs_py_unquote", "string", 100, url::unquote_text,
    "urllib.parse.unquote.";
    1267 "zs_py_unquote_plus", "string", 100, url::unquote_plus_text,
    "urllib.parse.unquote_plus.";
    1268 "zs_py_urlsplit", "url, out", 200, url::urlsplit,
    "The five parts of a URL.";
    1269 "zs_py_url_part", "netloc, part", 80, url::url_part,
    "0 hostname, 1 username, 2 password; 0 where there is none.";
    1270 "zs_py_url_port", "netloc, out", 80, url::url_port,
    "Whether there is a port, and which.";
    1271 "zs_py_parse_qs", "qs, keep_blank_values", 150, url::parse_qsl,
    "Names and values of a query, two words each.";
    1272 "zs_py_parse_qsl", "qs, keep_blank_values", 150, url::parse_qsl,
    "The same.";
    1273 "zs_py_qs_get", "qs, key", 80, url::qs_get,
    "The values of a name, or 0.";
    1274 "zs_py_qs_has", "qs, key", 60, url::qs_has,
    "Whether there is a name.";
    1275 "zs_py_ip_address", "address, out", 100, ip::ip_address,
    "The packed bytes of an address.";
    1276 "zs_py_ip_str", "ip", 80, ip::ip_str,
    "The text of an address.";
    1277 "zs_py_ip_in", "ip, network", 40, ip::ip_in,
    "Whether an address is in a network: bytes and length of its prefix.";
    1278 "zs_py_ip_is_loopback", "ip", 30, ip::is_loopback,
    "Whether an address is this machine's own.";
    1279 "zs_py_time_ns", "void", 40, server::time_ns,
    "Nanoseconds since 1970.";
    1280 "zs_py_monotonic_ns", "void", 40, server::monotonic_ns,
    "Nanoseconds of a clock that is never set.";
    1281 "zs_py_hash", "algorithm, data", 400, hashing::hash,
    "0 md5, 1 sha1, 2 sha224, 3 sha256, 4 sha384, 5 sha512.";
    1282 "zs_py_hmac", "algorithm, key, msg", 800, hashing::hmac,
    "HMAC with an algorithm of zs_py_hash.";
    1283 "zs_py_pbkdf2", "algorithm, password, salt, iterations, out", 800, hashing::pbkdf2,
    "As many bytes of PBKDF2 as the hash has.";
    1284 "zs_py_compare_digest", "a, b, out", 60, hashing::compare_digest,
    "Whether two are equal, in a time that does not tell where.";
    1285 "zs_py_crc32", "data, crc", 60, hashing::crc32,
    "CRC-32, going on from another.";
    1286 "zs_py_b64encode", "s", 60, codecs::b64encode,
    "Base64.";
    1287 "zs_py_urlsafe_b64encode", "s", 60, codecs::urlsafe_b64encode,
    "Base64 for URLs.";
    1288 "zs_py_b64decode", "s, validate, out", 60, codecs::b64decode,
    "Bytes of Base64.";
    1289 "zs_py_urlsafe_b64decode", "s, out", 60, codecs::urlsafe_b64decode,
    "Bytes of Base64 for URLs.";
    1290 "zs_py_b16encode", "s", 60, codecs::b16encode,
    "Hexadecimal digits in upper case.";
    1291 "zs_py_b32encode", "s", 60, codecs::b32encode,
    "Base32.";
    1292 "zs_py_hexlify", "data", 60, codecs::hexlify,
    "Hexadecimal digits in lower case.";
    1293 "zs_py_unhexlify", "hexstr, out", 60, codecs::unhexlify,
    "Bytes of hexadecimal digits.";
    1294 "zs_py_token_hex", "nbytes, out", 100, hashing::token_hex,
    "Random hexadecimal digits.";
    1295 "zs_py_token_bytes", "nbytes, out", 100, hashing::token_bytes,
    "Random bytes.";
    1296 "zs_py_token_urlsafe", "nbytes, out", 100, hashing::token_urlsafe,
    "Random bytes in Base64 for URLs.";
    1297 "zs_py_randbelow", "exclusive_upper_bound, out", 100, hashing::randbelow,
    "A random number.";
    1298 "zs_py_datetime_strftime", "us, format", 150, datetime::strftime,
    "A moment by a format, in the C locale.";
    1299 "zs_py_datetime_isoformat", "us", 120, datetime::isoformat,
    "A moment as ISO 8601 has it.";
    1300 "zs_py_datetime_from", "seconds, out", 60, datetime::from_seconds,
    "A moment of seconds since 1970.";
    1301 "zs_py_format_date", "seconds, usegmt", 120, datetime::format_date,
    "A date as mail has it.";
    1302 "zs_py_parse_date", "date, out", 200, datetime::parse_date,
    "A moment of a date of mail or HTTP.";
    1303 "zs_py_proxy_cached", "url, cache, out", 200, response::proxy_cached,
    "The answer of an upstream, or the one that is kept of it.";
    1304 "zs_py_file_exists", "path", 60, response::file_exists,
    "Whether a request for a path finds something.";
    1305 "zs_py_send_file", "path, status, out", 150, response::send_file,
    "A file of the site as the answer.";
    1306 "zs_py_res_send_file", "path", 100, response::replace_content,
    "A file of the site in place of the content.";
    1307 "zs_py_res_upstream_error", "void", 40, response::upstream_error,
    "Where an upstream failed, or 0.";
    1308 "zs_py_req_limit_body", "max_bytes", 60, request::limit_body,
    "Most bytes that the body of the request may have.";
    1309 "zs_py_verify_password", "password, hash, out", 1000, password::verify,
    "Whether a password is that of a hash.";
    1310 "zs_py_send_listing", "path, as_json, out", 2000, response::send_listing,
    "What lies in a directory of the site as the answer.";
};
