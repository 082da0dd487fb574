/* Answers every request with its path, as JSON. */
#include <zeroserve.h>

ZS_ENTRY zs_u64 answer(void)
{
    char body[256];
    __builtin_memcpy(body, "{\"path\":\"", 9);
    zs_s64 length = zs_req_path(body + 9, sizeof body - 11);
    if (length < 0 || length > (zs_s64)sizeof body - 12)
        return 0;
    body[9 + length] = '"';
    body[10 + length] = '}';
    zs_meta_set(ZS_STR("zs.response.header.content-type"), ZS_STR("application/json"));
    zs_respond(200, body, 11 + length);
    return 0;
}
