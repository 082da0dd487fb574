/* Files below /private/ need a link that was signed, and that has not expired:
 *
 *     /private/report.pdf?expires=1800000000&signature=<64 hexadecimal digits>
 *
 * The signature is HMAC-SHA256 of path, line feed and expires under the secret in the environment
 * variable URL_SECRET; README.md has a line of Python that makes one. */

#include <zeroserve.h>

#define PREFIX "/private/"

static char secret[256];
static char signed_text[2048 + 32];

static zs_u64 refuse(zs_u64 status, const char *why)
{
    zs_meta_set(ZS_STR("zs.response.header.cache-control"), ZS_STR("no-store"));
    zs_respond(status, ZS_STR(why));
    return 0;
}

/* Digits only, or -1. */
static zs_s64 number(const char *text)
{
    zs_s64 value = 0;
    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > 99999999999)
            return -1;
        value = value * 10 + (*text - '0');
    }
    return value;
}

ZS_ENTRY zs_u64 signed_urls(void)
{
    char expires[16], given[66];
    zs_u8 mac[32];
    char expected[64];

    /* The normalized path is what a file is looked up by. The path as it was sent can be written
     * in many ways: /%70rivate/ would walk past a guard that looks at that one. */
    zs_s64 path_len = zs_req_normalized_path(signed_text, 2048);
    if (path_len < 0 || path_len >= 2048)
        return refuse(400, "bad path\n");
    if (zs_strncmp(signed_text, ZS_STR(PREFIX)) != 0)
        return 0;

    zs_s64 secret_len = zs_env_get(ZS_STR("URL_SECRET"), secret, sizeof secret);
    if (secret_len < 16 || secret_len >= (zs_s64)sizeof secret) {
        zs_log(ZS_STR("URL_SECRET is not set, or not 16 to 255 bytes: nothing is let through"));
        return refuse(500, "not configured\n");
    }

    zs_s64 expires_len = zs_req_query_param(ZS_STR("expires"), expires, sizeof expires);
    zs_s64 given_len = zs_req_query_param(ZS_STR("signature"), given, sizeof given);
    if (expires_len <= 0 || expires_len >= (zs_s64)sizeof expires || given_len != sizeof expected)
        return refuse(403, "this link is not signed\n");

    char *end = signed_text + path_len;
    *end++ = '\n';
    end = zs_stpcpy(end, expires);
    zs_hmac_sha256(secret, secret_len, signed_text, end - signed_text, mac);
    zs_hex_encode(mac, sizeof mac, expected, sizeof expected, ZS_HEX_LOWERCASE);

    /* All bytes are compared whatever comes: the time it takes must not tell where they differ. */
    unsigned difference = 0;
    for (int i = 0; i < (int)sizeof expected; i++)
        difference |= (unsigned char)(given[i] ^ expected[i]);
    if (difference)
        return refuse(403, "the signature does not match\n");
    zs_s64 until = number(expires);
    if (until < 0 || (zs_u64)until * 1000 < zs_now_ms())
        return refuse(410, "this link has expired\n");
    zs_meta_set(ZS_STR("zs.response.header.cache-control"), ZS_STR("private"));
    return 0;
}
