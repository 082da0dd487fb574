/* At most 20 requests a second and 300 a minute from one address, otherwise 429.
 *
 * Behind a proxy every connection comes from the proxy: name it in PROXIES, and the address that
 * it has appended to X-Forwarded-For counts. What clients write there themselves stands before
 * that, so nobody gets a limit of their own by inventing addresses. (The proxy has to append to
 * the field that is there, as nginx and Caddy do, rather than add a second one.) */

#include <zeroserve.h>

#define PER_SECOND 20
#define PER_MINUTE 300
#define PROXIES "[\"127.0.0.1\", \"::1\"]"

/* Static: a function has 512 bytes of stack in all. */
static char forwarded[1024];

/* The client's address in text, or a null pointer. */
static const char *client(char *peer, zs_u64 size)
{
    zs_s64 length = zs_req_peer(peer, size);
    int is_proxy = length < 0 /* a Unix socket */ || zs_req_remote_ip_matches(ZS_STR(PROXIES)) == 1;

    if (is_proxy) {
        zs_s64 there = zs_req_header(ZS_STR("x-forwarded-for"), forwarded, sizeof forwarded);
        if (there >= (zs_s64)sizeof forwarded)
            return 0;
        if (there > 0) {
            char *last = zs_strrchr(forwarded, ',');
            last = last ? last + 1 : forwarded;
            while (*last == ' ')
                last++;
            return last;
        }
    }
    if (length < 0)
        return 0;
    /* Without the port, which is another one for each connection. */
    char *port = zs_strrchr(peer, ':');
    if (port)
        *port = 0;
    return peer;
}

ZS_ENTRY zs_u64 rate_limit(void)
{
    char peer[64];
    const char *address = client(peer, sizeof peer);
    zs_s64 result = -1;
    const char *wait = "60";

    if (address)
        result = zs_rate_limit(ZS_STR(address), PER_SECOND, PER_MINUTE, 0);
    if (result == ZS_RATE_LIMIT_ALLOWED)
        return 0;
    if (result < 0) { /* who is it? Whom nobody counts, nobody limits. */
        zs_respond(400, ZS_STR("no usable client address\n"));
        return 0;
    }
    if (result == ZS_RATE_LIMIT_EXCEEDED_SECOND)
        wait = "1";
    zs_meta_set(ZS_STR("zs.response.header.retry-after"), ZS_STR(wait));
    zs_respond(429, ZS_STR("too many requests\n"));
    return 0;
}
