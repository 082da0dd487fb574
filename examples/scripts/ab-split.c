/* Half of the visitors get index-b.html as front page, and the same one whenever they come back.
 *
 * Who has no cookie yet is dealt a variant at random; a cookie keeps it for 30 days. Pages can
 * show it, too: <zs-meta>variant</zs-meta> becomes a or b. */

#include <zeroserve.h>

#define COOKIE "variant="

/* Static: a function has 512 bytes of stack in all. */
static char cookies[4096];
static char target[2048];

/* The variant that the client's cookie names, or 0. */
static char kept(void)
{
    zs_s64 length = zs_req_header(ZS_STR("cookie"), cookies, sizeof cookies);
    if (length < 0 || length >= (zs_s64)sizeof cookies)
        return 0;
    for (const char *at = cookies; *at; at++) {
        int begins = at == cookies || at[-1] == ' ' || at[-1] == ';';
        if (!begins || zs_strncmp(at, ZS_STR(COOKIE)) != 0)
            continue;
        const char *value = at + sizeof COOKIE - 1;
        if ((*value == 'a' || *value == 'b') && (value[1] == 0 || value[1] == ';'))
            return *value;
    }
    return 0;
}

ZS_ENTRY zs_u64 ab_split(void)
{
    char path[4];
    if (zs_req_path(path, sizeof path) != 1 || path[0] != '/')
        return 0;

    char variant = kept();
    if (!variant) {
        zs_u8 coin;
        zs_getrandom(&coin, 1);
        variant = coin & 1 ? 'b' : 'a';
        char set[] = COOKIE "?; Path=/; Max-Age=2592000; SameSite=Lax";
        set[sizeof COOKIE - 1] = variant;
        zs_meta_set(ZS_STR("zs.response.header.set-cookie"), ZS_STR(set));
    }
    zs_meta_set(ZS_STR("variant"), &variant, 1);
    /* A cache that is shared would hand one visitor's variant to the next. */
    zs_meta_set(ZS_STR("zs.response.header.cache-control"), ZS_STR("private, no-cache"));
    zs_meta_set(ZS_STR("zs.response.header.vary"), ZS_STR("cookie, accept-encoding"));

    if (variant == 'b') {
        char *end = zs_stpcpy(target, "/index-b.html");
        zs_s64 query = zs_req_query(end + 1, sizeof target - 16);
        if (query > 0 && query < (zs_s64)sizeof target - 16)
            *end = '?';
        zs_req_set_uri(ZS_STR(target));
    }
    return 0;
}
