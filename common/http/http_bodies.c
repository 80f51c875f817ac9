/* Large bodies. h2o has one limit for all requests, and hands a request on when its body is here. So where
 * some routes take large ones, the sweep ends others that grow beyond the common limit, and the large ones
 * that are too many: what waits in memory is bounded. */
#include "priv/http_thread.h"

static struct str str_of_iovec(h2o_iovec_t v) {
    return (struct str){v.base, v.len};
}

size_t http_body_max(const struct http_thread *t, const h2o_req_t *req) {
    size_t large = t->http->options.large_body;
    struct str path = str_of_iovec(req->input.path);
    if (large == 0 || path.n == 0) return HTTP_MAX_BODY;
    const char *query = memchr(path.p, '?', path.n);
    if (query != NULL) path.n = (size_t)(query - path.p);
    struct route_match match;
    route_find(t->http->routes, str_of_iovec(req->input.method), path, &match);
    bool takes_large = match.route != NULL && (match.route->flags & ROUTE_LARGE_BODY) != 0;
    return takes_large ? large : HTTP_MAX_BODY;
}

int64_t http_reading_ms(const struct http_thread *t, const h2o_req_t *req, int *large) {
    if (t->http->options.large_body == 0 || h2o_compat_is_read(req) ||
        h2o_compat_received(req) <= HTTP_MAX_BODY + HTTP_MAX_HEAD)
        return HTTP_SLOW_MS;
    if (http_body_max(t, req) == HTTP_MAX_BODY || ++*large > HTTP_LARGE_BODIES) return 0;
    return HTTP_LARGE_SLOW_MS;
}
