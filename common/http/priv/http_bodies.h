/* http_bodies: which requests may have a large body, and how many at a time (http_large.c). A sweep counts
 * those that are here, judges those that are arriving, and then, after its walk, refuses some of these. On
 * the thread of the connections. */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include "priv/http_thread.h"

enum { HTTP_REFUSED_AT_ONCE = 64 }; /* the others in the next sweep */

struct http_bodies { /* of one sweep; begins as {.count = how many are here to their end} */
    int count, senders, nrefused;
    struct uuid sender[HTTP_LARGE_BODIES];
    struct http_refused_body {
        h2o_req_t *req;
        int status;
    } refused[HTTP_REFUSED_AT_ONCE];
};

/* How large the body of a request may be, and where its form leads if it is refused. The request may still be
 * arriving. */
size_t http_body_max(const struct http_thread *t, const h2o_req_t *req);
bool http_body_leads_back(const struct http_thread *t, const h2o_req_t *req, int status,
                          struct buf *location);
bool http_body_is_large(const h2o_req_t *req);
/* For how long a request may take to arrive. */
int64_t http_body_judge(struct http_bodies *all, h2o_req_t *req);
void http_bodies_refuse(struct http_bodies *all);
