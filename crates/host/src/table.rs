//! The table of helpers: one row for each, and nowhere else.
//!
//! Objects that are in use call helpers by name, programs that were compiled from them by number:
//! a row may be added at the end, but never removed, moved or given another meaning.
//!
//! Where nothing else is said, `out, out_len` is a buffer for text: it is terminated by a NUL,
//! cut to fit as snprintf does, and the result is the whole length without the NUL; an `out_len`
//! of 0 asks for that only. -1 means that something is not there, not valid, or too much.

use crate::helpers::{
    aws, basics, calls, crypto, encoding, fetch, hook, json, limit, memory, meta,
};
use crate::helpers::{oidc, request, respond, rewrite};
use crate::row::{Row, arity};

macro_rules! rows {
    ($($number:literal $name:literal, $result:literal, $parameters:literal, $group:literal,
        $fuel:literal, $body:path, $doc:literal;)+) => {
        &[$(Row {
            number: $number,
            name: $name,
            arity: arity($parameters),
            fuel: $fuel,
            result: $result,
            parameters: $parameters,
            group: $group,
            doc: $doc,
            body: $body,
        }),+]
    };
}

/// All helpers of scripts in C, by number; those that only compiled Python calls have tables of
/// their own in `crate::python`, and stand neither in the header nor in its reference.
#[rustfmt::skip] // a table, with lines of documentation as they are printed
pub static HELPERS: &[Row] = rows! {
    1 "zs_log", "zs_s64", "const char *msg, zs_u64 msg_len",
    "basics", 80, basics::log,
    "Write a line to the server's log, with the name of the script.\n\
     Control characters are escaped, what is not UTF-8 is replaced, the line ends after 8192 bytes.\n\
     0, or -1 from the 1001st line of a request on.";

    2 "zs_now_ms", "zs_u64", "void",
    "basics", 40, basics::now_ms,
    "Milliseconds since 1970, UTC.";

    3 "zs_version", "zs_s64", "char *out, zs_u64 out_len",
    "basics", 40, basics::version,
    "The server's version as text.";

    4 "zs_env_get", "zs_s64", "const char *name, zs_u64 name_len, char *out, zs_u64 out_len",
    "basics", 100, basics::env_get,
    "A variable of the server's environment as text; -1 if it is not set.";

    5 "zs_getrandom", "zs_s64", "void *out, zs_u64 out_len",
    "basics", 100, basics::getrandom,
    "Fill a buffer with random bytes that are good enough for keys; its length, or -1 above 65536.";

    6 "zs_memcpy", "void *", "void *dst, const void *src, size_t n",
    "memory", 20, memory::copy,
    "Copy bytes; the two may overlap. dst.";

    7 "zs_memcmp", "int", "const void *a, const void *b, size_t n",
    "memory", 20, memory::compare,
    "Below 0, 0 or above 0 as a is less than, equal to or greater than b, byte by byte.\n\
     Takes as long as the equal part: not for secrets.";

    8 "zs_memset", "void *", "void *dst, int c, size_t n",
    "memory", 20, memory::set,
    "Fill bytes with the low 8 bits of c. dst.";

    9 "zs_sha256", "zs_s64", "const void *data, zs_u64 data_len, void *out, zs_u64 out_len",
    "crypto", 400, crypto::sha256,
    "SHA-256, 32 bytes. out_len must be 32. The bytes written, or -1.";

    10 "zs_hmac_sha256", "zs_s64", "const void *key, zs_u64 key_len, const void *msg, zs_u64 msg_len, void *out",
    "crypto", 800, crypto::hmac_sha256,
    "HMAC with SHA-256 (RFC 2104); out has room for 32 bytes. 32.";

    11 "zs_base64_encode", "zs_s64", "const void *data, zs_u64 data_len, void *out, zs_u64 out_len, zs_u64 encoding",
    "encoding", 60, encoding::base64_encode,
    "Base64 (RFC 4648) without a NUL; encoding is one of ZS_BASE64_*.\n\
     The length. out_len 0 asks for it; -1 if the buffer is too small or the encoding unknown.";

    12 "zs_base64_decode_in_place", "zs_s64", "void *buf, zs_u64 buf_len, zs_u64 encoding",
    "encoding", 60, encoding::base64_decode,
    "Decode Base64 to where it stands; encoding is one of ZS_BASE64_*. Padding must be as it says.\n\
     The length of the result, or -1 with the buffer as it was.";

    13 "zs_hex_encode", "zs_s64", "const void *data, zs_u64 data_len, void *out, zs_u64 out_len, zs_u64 letters",
    "encoding", 60, encoding::hex_encode,
    "Two hexadecimal digits for each byte, without a NUL; letters is one of ZS_HEX_*.\n\
     The length. out_len 0 asks for it; -1 if the buffer is too small or letters is unknown.";

    14 "zs_hex_decode_in_place", "zs_s64", "void *buf, zs_u64 buf_len",
    "encoding", 60, encoding::hex_decode,
    "Decode hexadecimal digits of either case to where they stand.\n\
     The length of the result, or -1 with the buffer as it was.";

    15 "zs_json_parse", "zs_s64", "const void *data, zs_u64 data_len",
    "json", 200, json::parse,
    "Parse a JSON text. A handle of its root, or -1.";

    16 "zs_load_static_json", "zs_s64", "const char *path, zs_u64 path_len",
    "json", 1000, json::load_static,
    "Parse an entry of the site, named as in the archive; up to 1048576 bytes. A handle, or -1.";

    17 "zs_load_file_metadata", "zs_s64", "const char *path, zs_u64 path_len",
    "json", 300, json::load_metadata,
    "What is known of an entry of the site, named as in the archive: an object with size in bytes,\n\
     etag, and mtime in seconds since 1970. A handle, or -1.";

    18 "zs_json_reset", "zs_s64", "zs_u64 json",
    "json", 40, json::reset,
    "Let a handle name the root of its document again. 0, or -1.";

    19 "zs_json_get", "zs_s64", "zs_u64 json, const char *key, zs_u64 key_len",
    "json", 60, json::get,
    "A handle of a member of an object, or -1. It names a place: changes show through it.";

    20 "zs_json_array_get", "zs_s64", "zs_u64 json, zs_u64 index",
    "json", 60, json::array_get,
    "A handle of an element of an array, counted from 0, or -1. It names a place.";

    21 "zs_json_read_string", "zs_s64", "zs_u64 json, char *out, zs_u64 out_len",
    "json", 60, json::read_string,
    "A string as text; -1 if it is none.";

    22 "zs_json_read_i64", "zs_s64", "zs_u64 json, void *out, zs_u64 out_len",
    "json", 60, json::read_i64,
    "A whole number from -2^63 to 2^63-1 as 8 bytes, least first. out_len must be 8. 8, or -1.";

    23 "zs_json_read_bool", "zs_s64", "zs_u64 json, void *out, zs_u64 out_len",
    "json", 60, json::read_bool,
    "A byte that is 0 or 1. out_len must be 1. 1, or -1.";

    24 "zs_json_new_object", "zs_s64", "void",
    "json", 100, json::new_object,
    "A handle of a new empty object, or -1.";

    25 "zs_json_new_array", "zs_s64", "void",
    "json", 100, json::new_array,
    "A handle of a new empty array, or -1.";

    26 "zs_json_clone", "zs_s64", "zs_u64 json",
    "json", 100, json::duplicate,
    "A handle of a copy with a document of its own, or -1.";

    27 "zs_json_len", "zs_s64", "zs_u64 json",
    "json", 60, json::len,
    "Members of an object, elements of an array, bytes of a string; -1 for anything else.";

    28 "zs_json_type", "zs_s64", "zs_u64 json",
    "json", 60, json::kind,
    "One of ZS_JSON_*, or -1.";

    29 "zs_json_set", "zs_s64", "zs_u64 json, const char *key, zs_u64 key_len, zs_u64 value_json",
    "json", 100, json::set,
    "Set a member of an object to a copy of a value. 0, or -1.";

    30 "zs_json_remove", "zs_s64", "zs_u64 json, const char *key, zs_u64 key_len",
    "json", 100, json::remove,
    "Remove a member of an object. 0, or -1 if it is not there.";

    31 "zs_json_array_push", "zs_s64", "zs_u64 json, zs_u64 value_json",
    "json", 100, json::array_push,
    "Append a copy of a value to an array. Its new length, or -1.";

    32 "zs_json_array_set", "zs_s64", "zs_u64 json, zs_u64 index, zs_u64 value_json",
    "json", 100, json::array_set,
    "Replace an element of an array by a copy of a value. 0, or -1.";

    33 "zs_json_set_string", "zs_s64", "zs_u64 json, const char *value, zs_u64 value_len",
    "json", 100, json::set_string,
    "Replace what a handle names by a string, which must be UTF-8. 0, or -1.";

    34 "zs_json_set_i64", "zs_s64", "zs_u64 json, zs_s64 value",
    "json", 60, json::set_i64,
    "Replace what a handle names by a number. 0, or -1.";

    35 "zs_json_set_bool", "zs_s64", "zs_u64 json, zs_u64 value",
    "json", 60, json::set_bool,
    "Replace what a handle names by true, or by false for 0. 0, or -1.";

    36 "zs_json_set_null", "zs_s64", "zs_u64 json",
    "json", 60, json::set_null,
    "Replace what a handle names by null. 0, or -1.";

    37 "zs_object_free", "zs_s64", "zs_u64 object",
    "json", 60, json::free,
    "Give up a handle before the end of the request. 0, or -1.";

    38 "zs_req_body_json", "zs_s64", "void",
    "request", 300, request::body_json,
    "Read the request body and parse it. A handle, the same one until it is freed; -1 if there is no\n\
     body, if it is longer than 262144 bytes or what zs_req_body_limit says, or no JSON.";

    39 "zs_req_method", "zs_s64", "char *out, zs_u64 out_len",
    "request", 40, request::method,
    "The method as text.";

    40 "zs_req_path", "zs_s64", "char *out, zs_u64 out_len",
    "request", 40, request::path,
    "The path as the client sent it, escapes and all, without the query.";

    41 "zs_req_normalized_path", "zs_s64", "char *out, zs_u64 out_len",
    "request", 40, request::normalized_path,
    "The path decoded, without dot segments and double slashes: what a file is looked up by.\n\
     -1 if it is not UTF-8.";

    42 "zs_req_uri", "zs_s64", "char *out, zs_u64 out_len",
    "request", 40, request::uri,
    "Path and query as the client sent them.";

    43 "zs_req_query", "zs_s64", "char *out, zs_u64 out_len",
    "request", 40, request::query,
    "What follows the question mark, not decoded; empty if there is none.";

    44 "zs_req_scheme", "zs_s64", "char *out, zs_u64 out_len",
    "request", 40, request::scheme,
    "http or https.";

    45 "zs_req_peer", "zs_s64", "char *out, zs_u64 out_len",
    "request", 40, request::peer,
    "Address and port of who connected, as 192.0.2.1:5000 or [2001:db8::1]:5000.\n\
     -1 on a Unix socket. Behind another proxy this is the proxy.";

    46 "zs_req_proto_major", "zs_s64", "void",
    "request", 30, request::proto_major,
    "The 1 of HTTP/1.0.";

    47 "zs_req_proto_minor", "zs_s64", "void",
    "request", 30, request::proto_minor,
    "The 0 of HTTP/1.0; 0 for HTTP/2.";

    48 "zs_req_is_tls", "zs_s64", "void",
    "request", 30, request::is_tls,
    "1 if the connection is encrypted, otherwise 0.";

    49 "zs_req_header", "zs_s64", "const char *name, zs_u64 name_len, char *out, zs_u64 out_len",
    "request", 60, request::header,
    "A request header as text, the first of that name; -1 if there is none.";

    50 "zs_req_query_param", "zs_s64", "const char *name, zs_u64 name_len, char *out, zs_u64 out_len",
    "request", 100, request::query_param,
    "A parameter of the query as text, decoded, the first of that name; -1 if there is none.";

    51 "zs_req_query_param_matches", "zs_s64", "const char *name, zs_u64 name_len, const char *value, zs_u64 value_len",
    "request", 100, request::query_param_matches,
    "1 if any parameter of that name has that value, decoded, or any value if it is *; otherwise 0.";

    52 "zs_req_remote_ip_matches", "zs_s64", "const char *ranges_json, zs_u64 ranges_json_len",
    "request", 200, request::remote_ip_matches,
    "1 if the address of who connected is in a JSON array of addresses and CIDR ranges, otherwise 0.\n\
     -1 if it is no such array. On a Unix socket always 0.";

    53 "zs_req_body_limit", "zs_s64", "zs_u64 max_bytes",
    "request", 40, request::body_limit,
    "Lower the limit of the request body. 1 if the client announced more than that, otherwise 0.";

    54 "zs_connection_info", "zs_s64", "void",
    "request", 600, request::connection_info,
    "A handle of an object with tls, tls_handshake_complete, alpn, sni: {inner, outer},\n\
     ech: null or {accepted}, and fingerprint: {ja4}. What is not known is null. -1 if out of handles.";

    55 "zs_req_set_method", "zs_s64", "const char *method, zs_u64 method_len",
    "rewrite", 80, rewrite::set_method,
    "Change the method that others see, in letters as given. 0, or -1 if it is none.";

    56 "zs_req_set_uri", "zs_s64", "const char *uri, zs_u64 uri_len",
    "rewrite", 200, rewrite::set_uri,
    "Change path and query: what is looked up or sent upstream. Begins with a slash, escaped, up to\n\
     8192 bytes. 0, or -1 if it is not valid or leads out of the site.";

    57 "zs_req_set_header", "zs_s64", "const char *name, zs_u64 name_len, const char *value, zs_u64 value_len",
    "rewrite", 80, rewrite::set_header,
    "Replace all request headers of that name by one; no value removes them.\n\
     0, or -1 if name or value are not valid. Content-Length and Transfer-Encoding cannot be changed.";

    58 "zs_req_append_header", "zs_s64", "const char *name, zs_u64 name_len, const char *value, zs_u64 value_len",
    "rewrite", 80, rewrite::append_header,
    "Add a request header beside those of that name. 0, or -1 as for zs_req_set_header.";

    59 "zs_req_delete_header", "zs_s64", "const char *pattern, zs_u64 pattern_len",
    "rewrite", 80, rewrite::delete_header,
    "Remove the request headers that match X, X*, *X, *X* or *, but those that frame the body.\n\
     0, or -1 if the pattern is not valid.";

    60 "zs_meta_get", "zs_s64", "const char *key, zs_u64 key_len, char *out, zs_u64 out_len",
    "meta", 60, meta::get,
    "A value that a script of this request has set, as text; -1 if there is none.";

    61 "zs_meta_set", "zs_s64", "const char *key, zs_u64 key_len, const char *value, zs_u64 value_len",
    "meta", 150, meta::set,
    "Set a value that all scripts of this request see, and that <zs-meta>key</zs-meta> in HTML and XML\n\
     stands for. zs.response.header.NAME becomes a response header. Text in UTF-8.\n\
     0, or -1 if it is not valid or there are too many.";

    62 "zs_respond", "zs_s64", "zs_u64 status, const void *body, zs_u64 body_len",
    "respond", 200, respond::respond,
    "Answer with a status from 200 to 599 and a body; no further script runs. A later answer of the\n\
     same script replaces it. The type is text/plain unless zs.response.header.content-type is set.\n\
     0, or -1; always -1 in a response hook.";

    63 "zs_json_respond", "zs_s64", "zs_u64 status, zs_u64 json",
    "respond", 400, respond::json_respond,
    "Answer with a JSON value, as application/json. 0, or -1 as for zs_respond.";

    64 "zs_reverse_proxy", "zs_s64", "const char *url, zs_u64 url_len",
    "respond", 300, respond::reverse_proxy,
    "Let the server at an http or https URL answer, or one that speaks HTTP/2 at an h2 or h2c URL; no\n\
     further script runs. The request's path follows the URL's, the queries are joined, the Host is\n\
     forwarded, and X-Forwarded-For, -Proto and -Host are added where missing. 0, or -1 if it is no\n\
     such URL or in a response hook.";

    65 "zs_abort", "zs_s64", "void",
    "respond", 40, respond::abort,
    "Close the connection without an answer; no further script runs. 0, or -1 in a response hook.";

    66 "zs_response_pending", "zs_s64", "void",
    "respond", 30, respond::pending,
    "1 if this request has an answer by now, otherwise 0.";

    67 "zs_response_clear", "zs_s64", "void",
    "respond", 60, respond::clear,
    "Take back the answer, so that the next script runs. 0.";

    68 "zs_res_hook", "zs_s64", "const char *script, zs_u64 script_len, const char *func, zs_u64 func_len, zs_s64 json",
    "hook", 300, hook::add,
    "Run a ZS_CALL_ENTRY function of a script, or of this one if the name is empty, on the response\n\
     before it is sent, with a copy of a value, or null for 0. Hooks run in the order in which they\n\
     were added. 0, or -1 if there are 32 already or names or handle are not valid.";

    69 "zs_res_hooks_clear", "zs_s64", "void",
    "hook", 60, hook::clear,
    "Forget the response hooks that were added. 0.";

    70 "zs_res_status", "zs_s64", "void",
    "hook", 30, hook::status,
    "In a response hook, the status of the response; otherwise -1.";

    71 "zs_res_set_status", "zs_s64", "zs_u64 status",
    "hook", 40, hook::set_status,
    "In a response hook, change the status to one from 200 to 599. 0, or -1.";

    72 "zs_res_header", "zs_s64", "const char *name, zs_u64 name_len, char *out, zs_u64 out_len",
    "hook", 60, hook::header,
    "In a response hook, a response header as text, the first of that name; -1 if there is none.";

    73 "zs_call", "zs_s64", "const char *script, zs_u64 script_len, const char *func, zs_u64 func_len, zs_s64 json",
    "call", 500, calls::call,
    "Run a ZS_CALL_ENTRY function of another script, with a copy of a value, or null for 0. Request,\n\
     metadata and answer are shared. A handle of a copy of its result, or -1 if there is no such\n\
     function, it returns no handle, or calls are 8 deep.";

    74 "zs_rate_limit", "zs_s64", "const void *key, zs_u64 key_len, zs_u64 per_second, zs_u64 per_minute, zs_u64 per_hour",
    "limit", 150, limit::rate_limit,
    "Count a request for a key of 1 to 256 bytes against limits; 0 is no limit. One of ZS_RATE_LIMIT_*,\n\
     or -1. A window begins with the first request after the former one; what is refused is not\n\
     counted. Counts are shared by the workers of a site and kept over reloads.";

    75 "zs_aws_v4_authorization_header", "zs_s64", "const zs_aws_v4_sign_params *params, zs_u64 params_len",
    "aws", 4000, aws::authorization,
    "The value of the Authorization header of AWS Signature Version 4 as text, or -1. params_len must\n\
     be 144, the size of 18 fields of 8 bytes in this order: access_key, access_key_len, secret_key,\n\
     secret_key_len, region, region_len, service, service_len, method, method_len, uri, uri_len\n\
     (path and query as they will be sent), headers_json (handle of an object of all headers to sign,\n\
     with host among them), body_hash, body_hash_len (64 hexadecimal digits, or UNSIGNED-PAYLOAD),\n\
     timestamp_ms (since 1970), out, out_len.";

    76 "zs_aws_v4_presigned_url", "zs_s64", "const zs_aws_v4_sign_params *params, zs_u64 params_len, zs_u64 expires_secs",
    "aws", 4000, aws::presigned,
    "The uri of the parameters with a signature in its query as text, or -1; valid for 1 to 604800\n\
     seconds. The parameters are those of zs_aws_v4_authorization_header; for s3, and where body_hash\n\
     is empty, the body is not signed.";

    77 "zs_fetch", "zs_s64", "const zs_fetch_params *params, zs_u64 params_len",
    "fetch", 2000, fetch::fetch,
    "Ask another server, and wait for all of its answer; other requests go on meanwhile. A handle of\n\
     the answer, for the functions below, or -1: the log says why. Which servers may be asked is in\n\
     [fetch] of zeroserve.toml; redirects are not followed. Always -1 in a response hook, and from\n\
     the 17th time of a request on. params_len must be 64, the size of 8 fields of 8 bytes in this\n\
     order: method, method_len (GET where that is 0), url, url_len (http, https, or pool:NAME/PATH),\n\
     headers_json (handle of an object of texts, or 0), body, body_len (up to 262144), timeout_ms\n\
     (up to 30000; 0 is 5000).";

    78 "zs_fetched_status", "zs_s64", "zs_s64 answer",
    "fetch", 30, fetch::status,
    "The status of an answer, or -1 if it is none.";

    79 "zs_fetched_header", "zs_s64", "zs_s64 answer, const char *name, zs_u64 name_len, char *out, zs_u64 out_len",
    "fetch", 60, fetch::header,
    "A header of an answer as text, the first of that name; -1 if there is none.";

    80 "zs_fetched_body", "zs_s64", "zs_s64 answer, void *out, zs_u64 out_len",
    "fetch", 60, fetch::body,
    "The body of an answer, up to 262144 bytes: its length, or -1 if the buffer is too small. An\n\
     out_len of 0 asks for the length.";

    81 "zs_fetched_json", "zs_s64", "zs_s64 answer",
    "fetch", 400, fetch::json,
    "A handle of the body of an answer, read as JSON; -1 if it is none.";

    82 "zs_oidc_begin_login", "zs_s64", "zs_s64 config_json, const char *return_to, zs_u64 return_to_len",
    "oidc", 500, oidc::begin_login,
    "Answer with a redirect to an OpenID provider, where the visitor logs in; no further script runs.\n\
     return_to is a path of this site; anything else is /. config_json is the handle of an object with\n\
     issuer, client_id, client_secret (none for a public client), redirect_uri, scope (openid), and\n\
     cookie_secret (16 bytes or more), session_ttl_secs (28800). The issuer has to be in [fetch] of\n\
     zeroserve.toml. 0, or -1: the log says why.";

    83 "zs_oidc_handle_callback", "zs_s64", "zs_s64 config_json",
    "oidc", 500, oidc::handle_callback,
    "At the path of redirect_uri: have the code of the query exchanged for a token, verify that, and\n\
     answer with a redirect to return_to and the cookie of a session. 0, or -1: the log says why, and\n\
     the script answers.";

    84 "zs_oidc_session_verify", "zs_s64", "zs_s64 config_json",
    "oidc", 500, oidc::session_verify,
    "A handle of the claims of the visitor's session, or 0 if there is none. Nobody is asked.";

    85 "zs_oidc_logout", "zs_s64", "zs_s64 config_json, const char *end_session_url, zs_u64 end_session_url_len",
    "oidc", 500, oidc::end_session,
    "Answer with a redirect that ends the session: to an http or https URL, such as the provider's\n\
     end_session_endpoint, or to a path of this site; anything else is /. 0, or -1.";

};
