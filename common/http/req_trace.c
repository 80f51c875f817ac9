#include "priv/req_priv.h"

/* The caller's header; empty when there is none, or two. */
static struct str caller(const struct req *rq) {
    const h2o_headers_t *headers = &rq->h2o->headers;
    ssize_t i = h2o_find_header_by_str(headers, H2O_STRLIT("traceparent"), -1);
    if (i < 0 || h2o_find_header_by_str(headers, H2O_STRLIT("traceparent"), i) >= 0) return (struct str){0};
    return (struct str){headers->entries[i].value.base, headers->entries[i].value.len};
}

void req_trace_start(struct req *rq) {
    trace_start(caller(rq), rq->traceparent);
}

struct str req_traceparent(const struct req *rq) {
    return (struct str){rq->traceparent, sizeof rq->traceparent};
}
