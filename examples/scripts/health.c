/* Answers /health, for load balancers and monitors: before any file is looked up, never cached. */

#include <zeroserve.h>

ZS_ENTRY zs_u64 health(void)
{
    char path[16], method[8];

    /* The result is the whole length: a path that does not fit is not this one either. */
    if (zs_req_path(path, sizeof path) < 0 || zs_strcmp(path, "/health") != 0)
        return 0;

    zs_meta_set(ZS_STR("zs.response.header.cache-control"), ZS_STR("no-store"));
    zs_req_method(method, sizeof method);
    if (zs_strcmp(method, "GET") != 0 && zs_strcmp(method, "HEAD") != 0) {
        zs_meta_set(ZS_STR("zs.response.header.allow"), ZS_STR("GET, HEAD"));
        zs_respond(405, ZS_STR("method not allowed\n"));
        return 0;
    }
    zs_meta_set(ZS_STR("zs.response.header.content-type"), ZS_STR("application/json"));
    zs_respond(200, ZS_STR("{\"status\":\"ok\"}\n"));
    return 0;
}
