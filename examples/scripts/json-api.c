/* A small API over a file of the site: POST /api/quote adds up an order.
 *
 *     {"items": [{"sku": "tea", "count": 2}]}  ->  {"currency": "EUR", "total_cents": 1300}
 *
 * Prices come from catalog.json, an entry of the same archive, so that deploying a new archive
 * changes page and prices in the same moment:
 *
 *     {"currency": "EUR", "prices": {"tea": 650}} */

#include <zeroserve.h>

#define MAX_ITEMS 100
#define MAX_COUNT 1000

static zs_u64 fail(zs_u64 status, const char *why)
{
    zs_s64 answer = zs_json_new_object();
    zs_s64 text = zs_json_new_object();
    zs_json_set_string(text, ZS_STR(why));
    zs_json_set(answer, ZS_STR("error"), text);
    zs_json_respond(status, answer);
    return 0;
}

/* A whole number from least to most in a member of an object, or -1. */
static zs_s64 member(zs_s64 object, const char *name, zs_s64 least, zs_s64 most)
{
    zs_s64 value = -1;
    zs_s64 found = zs_json_get(object, ZS_STR(name));
    if (found < 0)
        return -1;
    if (zs_json_read_i64(found, &value, sizeof value) < 0 || value < least || value > most)
        value = -1;
    zs_object_free(found);
    return value;
}

/* What one item costs, or -1 when it is not valid. */
static zs_s64 price(zs_s64 prices, zs_s64 item)
{
    char sku[64];
    zs_s64 count = member(item, "count", 1, MAX_COUNT);
    zs_s64 name = zs_json_get(item, ZS_STR("sku"));
    zs_s64 length = name < 0 ? -1 : zs_json_read_string(name, sku, sizeof sku);

    zs_object_free(name);
    if (count < 0 || length < 0 || length >= (zs_s64)sizeof sku)
        return -1;
    zs_s64 each = member(prices, sku, 0, 1000000000);
    return each < 0 ? -1 : each * count;
}

ZS_ENTRY zs_u64 json_api(void)
{
    char path[32], method[8];
    if (zs_req_path(path, sizeof path) < 0 || zs_strcmp(path, "/api/quote") != 0)
        return 0;

    zs_meta_set(ZS_STR("zs.response.header.cache-control"), ZS_STR("no-store"));
    zs_req_method(method, sizeof method);
    if (zs_strcmp(method, "POST") != 0) {
        zs_meta_set(ZS_STR("zs.response.header.allow"), ZS_STR("POST"));
        return fail(405, "only POST");
    }
    zs_req_body_limit(16384);
    zs_s64 order = zs_req_body_json();
    if (order < 0)
        return fail(400, "the body is no JSON, or longer than 16 KiB");
    zs_s64 items = zs_json_get(order, ZS_STR("items"));
    if (items < 0 || zs_json_type(items) != ZS_JSON_ARRAY || zs_json_len(items) > MAX_ITEMS)
        return fail(422, "items must be an array of at most 100");

    zs_s64 catalog = zs_load_static_json(ZS_STR("catalog.json"));
    zs_s64 prices = zs_json_get(catalog, ZS_STR("prices"));
    zs_s64 currency = zs_json_get(catalog, ZS_STR("currency"));
    if (catalog < 0 || prices < 0 || currency < 0)
        return fail(500, "the catalog is missing");

    zs_s64 total = 0;
    zs_s64 count = zs_json_len(items);
    for (zs_s64 i = 0; i < count; i++) {
        zs_s64 item = zs_json_array_get(items, i);
        zs_s64 cents = price(prices, item);
        zs_object_free(item); /* handles are few: give back what a loop takes */
        if (cents < 0)
            return fail(422, "an item has no known sku, or a count outside of 1 to 1000");
        total += cents;
    }

    zs_s64 answer = zs_json_new_object();
    zs_s64 sum = zs_json_new_object();
    zs_json_set_i64(sum, total);
    zs_json_set(answer, ZS_STR("currency"), currency);
    zs_json_set(answer, ZS_STR("total_cents"), sum);
    zs_json_respond(200, answer);
    return 0;
}
