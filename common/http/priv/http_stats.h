/* http_stats: counters by route, and the line of a request in the log. Each thread writes its own counters;
 * the thread that answers /metrics reads them. */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include <stdbool.h>

#include "buf.h"
#include "http.h"
#include "metrics.h"

struct http_thread;

struct route_stats {
    struct histogram duration;
    _Atomic int64_t answers[6]; /* by the first digit of the status */
};

struct answer {                /* what is counted and logged of each */
    const struct route *route; /* NULL: none matched */
    struct str trace;
    int status;
    size_t bytes;
    int64_t us;
    bool gone; /* the client left before */
};

void http_stats_note(struct http_thread *t, const struct answer *a);
void http_stats_write(struct buf *out, void *http); /* the metrics of a struct http */

/* --- http_log.c --- */
struct http_log_parts; /* the constant parts of a line, made once a route */
struct http_log_parts *http_log_parts_new(const char *service, const struct route *routes);
void http_log_parts_free(struct http_log_parts *parts);
void http_log_answer(struct buf *b, const struct http_log_parts *parts, int route_index,
                     const struct answer *a);
