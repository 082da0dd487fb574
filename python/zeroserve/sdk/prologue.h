/* zeroserve.h: everything that a script in C needs; `zeroserve sdk` prints it.
 *
 *     #include <zeroserve.h>
 *
 *     ZS_ENTRY zs_u64 health(void)
 *     {
 *         char path[64];
 *         zs_req_path(path, sizeof path);
 *         if (zs_strcmp(path, "/health") == 0)
 *             zs_respond(200, ZS_STR("ok\n"));
 *         return 0;
 *     }
 *
 * Scripts are compiled by `zeroserve pack`, by `zeroserve compile`, or by hand:
 *
 *     clang -target bpf -mcpu=v3 -O2 -g -ffreestanding -c health.c
 *
 * A script that is stopped (an address outside of its memory, too much fuel) fails closed: the
 * client gets a 500 and nothing else happens. */

#ifndef ZEROSERVE_H
#define ZEROSERVE_H

#ifdef __cplusplus
#error "zeroserve.h is for C"
#endif

/* ---- types -------------------------------------------------------------------------------- */

/* The compiler's own: they agree with <stdint.h> and <stddef.h>, which may be included, too. */
typedef __UINT64_TYPE__ uint64_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __INT16_TYPE__ int16_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __INT8_TYPE__ int8_t;
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ssize_t;

typedef uint64_t zs_u64;
typedef int64_t zs_s64;
typedef uint32_t zs_u32;
typedef int32_t zs_s32;
typedef uint16_t zs_u16;
typedef int16_t zs_s16;
typedef uint8_t zs_u8;
typedef int8_t zs_s8;

/* ---- entries ------------------------------------------------------------------------------ */

#define ZS_SECTION(name) __attribute__((section(name), used))
#define ZS_INLINE __attribute__((always_inline))
#define ZS_MAYBE_UNUSED __attribute__((unused))

/* Runs for every request: takes nothing, returns 0.
 *
 *     ZS_ENTRY zs_u64 guard(void) { ... return 0; } */
#define ZS_ENTRY ZS_SECTION("zeroserve.request")

/* Runs when zs_call names it, or on the response when zs_res_hook has named it. It gets a handle
 * of a copy of the caller's value, and returns a handle of its result, or -1 for none. Response
 * hooks return 0.
 *
 *     ZS_CALL_ENTRY(add_header, input) { ... return 0; } */
#define ZS_CALL_ENTRY(name, input) \
    ZS_SECTION("zeroserve.call." #name) zs_s64 zs_call_entry_##name(zs_s64 input ZS_MAYBE_UNUSED)

/* ---- text and numbers --------------------------------------------------------------------- */

/* Where a function takes a pointer and a length: a text up to its NUL. */
#define ZS_STR(text) (text), zs_strlen(text)
#define ZS_STR_WITH_NULL(text) (text), (zs_strlen(text) + 1)

/* The smaller or the larger of two; each may be evaluated twice. */
#define ZS_MIN(a, b) ((a) < (b) ? (a) : (b))
#define ZS_MAX(a, b) ((a) > (b) ? (a) : (b))

/* ---- constants ---------------------------------------------------------------------------- */

#define ZS_BASE64_STANDARD 0
#define ZS_BASE64_STANDARD_NO_PAD 1
#define ZS_BASE64_URL 2
#define ZS_BASE64_URL_NO_PAD 3

#define ZS_HEX_LOWERCASE 0
#define ZS_HEX_UPPERCASE 1

#define ZS_JSON_NULL 0
#define ZS_JSON_BOOL 1
#define ZS_JSON_NUMBER 2
#define ZS_JSON_STRING 3
#define ZS_JSON_ARRAY 4
#define ZS_JSON_OBJECT 5

#define ZS_RATE_LIMIT_ALLOWED 0
#define ZS_RATE_LIMIT_EXCEEDED_SECOND 1
#define ZS_RATE_LIMIT_EXCEEDED_MINUTE 2
#define ZS_RATE_LIMIT_EXCEEDED_HOUR 3
#define ZS_RATE_LIMIT_EXCEEDED_BUCKET_LIMIT 4

/* ---- structures --------------------------------------------------------------------------- */

/* What zs_fetch asks, and how. */
typedef struct {
    const void *method; /* GET, if its length is 0 */
    zs_u64 method_len;
    const void *url;
    zs_u64 url_len;
    zs_u64 headers_json; /* handle of an object of texts, or 0 */
    const void *body;
    zs_u64 body_len;
    zs_u64 timeout_ms; /* up to 30000; 0 is 5000 */
} zs_fetch_params;

/* What zs_aws_v4_authorization_header and zs_aws_v4_presigned_url sign. */
typedef struct {
    const void *access_key;
    zs_u64 access_key_len;
    const void *secret_key;
    zs_u64 secret_key_len;
    const void *region;
    zs_u64 region_len;
    const void *service;
    zs_u64 service_len;
    const void *method;
    zs_u64 method_len;
    const void *uri;
    zs_u64 uri_len;
    zs_u64 headers_json; /* handle of an object */
    const void *body_hash;
    zs_u64 body_hash_len;
    zs_s64 timestamp_ms;
    void *out;
    zs_u64 out_len;
} zs_aws_v4_sign_params;

