/* Which requests may have a large body, and where the form of one leads; declared in http_bodies.h. */
#include "priv/http_bodies.h"

static struct str str_of_iovec(h2o_iovec_t v) {
    return (struct str){v.base, v.len};
}

/* The path need not be looked at before. */
static void find(const struct http_thread *t, const h2o_req_t *req, struct route_match *match) {
    struct str path = str_of_iovec(req->input.path);
    const char *query = path.n == 0 ? NULL : memchr(path.p, '?', path.n);
    if (query != NULL) path.n = (size_t)(query - path.p);
    *match = (struct route_match){0};
    if (path.n > 0) route_find(t->http->routes, str_of_iovec(req->input.method), path, match);
}

size_t http_body_max(const struct http_thread *t, const h2o_req_t *req) {
    struct route_match match;
    if (t->http->options.large_body == 0) return HTTP_MAX_BODY;
    find(t, req, &match);
    bool takes_large = match.route != NULL && (match.route->flags & ROUTE_LARGE_BODY) != 0;
    return takes_large ? t->http->options.large_body : HTTP_MAX_BODY;
}

bool http_body_leads_back(const struct http_thread *t, const h2o_req_t *req, int status,
                          struct buf *location) {
    struct route_match match;
    if (t->http->options.lead_back == NULL) return false;
    find(t, req, &match);
    return match.route != NULL && t->http->options.lead_back(location, match.route, match.uuids, status);
}
