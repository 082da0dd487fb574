/* One policy for every response: files, errors, answers of scripts and of upstream servers.
 *
 * The policy below lets pages load what the site itself serves, and nothing else. A page that
 * needs more says so in the browser's console; add the source it names. */

#include <zeroserve.h>

#define HEADER "zs.response.header."

static const struct {
    const char *name;
    const char *value;
} POLICY[] = {
    {HEADER "content-security-policy",
     "default-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"},
    {HEADER "x-content-type-options", "nosniff"},
    {HEADER "referrer-policy", "strict-origin-when-cross-origin"},
    {HEADER "permissions-policy", "camera=(), geolocation=(), microphone=()"},
    {HEADER "cross-origin-opener-policy", "same-origin"},
};

ZS_ENTRY zs_u64 security_headers(void)
{
    for (unsigned i = 0; i < sizeof POLICY / sizeof *POLICY; i++)
        zs_meta_set(ZS_STR(POLICY[i].name), ZS_STR(POLICY[i].value));

    /* Browsers ignore this one on plain connections, and so would whoever listens in. */
    if (zs_req_is_tls())
        zs_meta_set(ZS_STR(HEADER "strict-transport-security"), ZS_STR("max-age=31536000"));
    return 0;
}
