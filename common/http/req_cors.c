#include "h2o_compat.h"
#include "priv/req_priv.h"

/* Never Access-Control-Allow-Credentials: with it, a listed page's scripts would act by the cookie of whoever
 * looks at it. Without it, browsers send no cookie, and a script has to have a token of its own. */

#define EXPOSED_HEADERS "ETag, Link, Location, Retry-After"

static bool origin_of(const h2o_req_t *h2o, h2o_iovec_t *out) {
    ssize_t i = h2o_find_header_by_str(&h2o->headers, H2O_STRLIT("origin"), -1);
    if (i >= 0) *out = h2o->headers.entries[i].value;
    return i >= 0;
}

static void add(h2o_req_t *h2o, const char *name, const char *value, size_t n) {
    h2o_add_header_by_str(&h2o->pool, &h2o->res.headers, name, strlen(name), 1, NULL, value, n);
}

static bool allow(h2o_req_t *h2o, const struct cors *cors) {
    h2o_iovec_t origin;
    if (!origin_of(h2o, &origin) || !cors_allows(cors, (struct str){origin.base, origin.len})) return false;
    add(h2o, "access-control-allow-origin", origin.base, origin.len);
    return true;
}

void cors_add_headers(h2o_req_t *h2o) {
    const struct cors *cors = &http_thread_of(h2o->conn)->http->cors;
    if (cors->count == 0) return;
    add(h2o, "vary", H2O_STRLIT("Origin"));
    if (allow(h2o, cors)) add(h2o, "access-control-expose-headers", H2O_STRLIT(EXPOSED_HEADERS));
}
