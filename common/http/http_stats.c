#include "priv/http_stats.h"

#include "log.h"
#include "priv/http_thread.h"

#define REQUESTS    "onsale_http_requests_total"
#define DURATION    "onsale_http_request_duration_seconds"
#define IN_FLIGHT   "onsale_http_requests_in_flight"
#define CONNECTIONS "onsale_http_connections"

static int index_of(const struct http *http, const struct route *route) {
    return route == NULL ? http->nroutes : (int)(route - http->options.routes);
}

void http_stats_note(struct http_thread *t, const struct answer *a) {
    struct route_stats *s = &t->stats[index_of(t->http, a->route)];
    histogram_observe_us(&s->duration, a->us);
    atomic_fetch_add_explicit(&s->answers[a->status / 100], 1, memory_order_relaxed);
    if (a->route != NULL && (a->route->flags & ROUTE_MEASURED) != 0 && a->status / 100 == 2)
        histogram_observe_us(&t->measured, a->us);
    if (log_enabled(LOG_INFO)) http_log_answer(&t->log, t->http->log_parts, index_of(t->http, a->route), a);
}

static int64_t count_of(const struct route_stats *s, int class) {
    return atomic_load_explicit(&s->answers[class], memory_order_relaxed);
}

static void measure_thread(const struct http_thread *t, struct http_measure *out) {
    for (int i = 0; i <= t->http->nroutes; i++) {
        const struct route_stats *s = &t->stats[i];
        for (int class = 1; class <= 5; class ++)
            out->answered += count_of(s, class);
        if (i == t->http->nroutes || (t->http->options.routes[i].flags & ROUTE_MEASURED) == 0) continue;
        out->good += count_of(s, 2);
        out->failed += count_of(s, 5);
    }
    histogram_merge(&out->took, &t->measured);
    out->waiting += atomic_load_explicit(&t->in_flight, memory_order_relaxed);
}

void http_measure(const struct http *http, struct http_measure *out) {
    *out = (struct http_measure){0};
    for (int i = 0; i < http->nthreads; i++)
        measure_thread(&http->threads[i], out);
}

static void labels_of(const struct http *http, int index, char *out, size_t size) {
    const struct route *r = &http->options.routes[index];
    if (index == http->nroutes)
        snprintf(out, size, "method=\"\",route=\"\"");
    else
        snprintf(out, size, "method=\"%s\",route=\"%s\"", r->method, r->path);
}

static void write_requests(struct buf *out, const struct http *http) {
    metric_header(out, REQUESTS, "counter",
                  "Requests answered, by route (empty: none matched) and class of status");
    char labels[256];
    for (int i = 0; i <= http->nroutes; i++) {
        labels_of(http, i, labels, sizeof labels);
        for (int class = 2; class <= 5; class ++) {
            int64_t n = 0;
            for (int t = 0; t < http->nthreads; t++)
                n += count_of(&http->threads[t].stats[i], class);
            buf_printf(out, REQUESTS "{%s,status=\"%dxx\"} %lld\n", labels, class, (long long)n);
        }
    }
}

static void write_durations(struct buf *out, const struct http *http) {
    metric_header(out, DURATION, "histogram", "From a request's last byte to its answer");
    char labels[256];
    for (int i = 0; i <= http->nroutes; i++) {
        struct histogram sum = {0};
        for (int t = 0; t < http->nthreads; t++)
            histogram_merge(&sum, &http->threads[t].stats[i].duration);
        labels_of(http, i, labels, sizeof labels);
        histogram_write(out, &sum, DURATION, labels);
    }
}

void http_stats_write(struct buf *out, void *arg) {
    const struct http *http = arg;
    write_requests(out, http);
    write_durations(out, http);
    int in_flight = 0, connections = 0;
    for (int t = 0; t < http->nthreads; t++) {
        in_flight += atomic_load_explicit(&http->threads[t].in_flight, memory_order_relaxed);
        connections += atomic_load_explicit(&http->threads[t].connections, memory_order_relaxed);
    }
    metric_header(out, IN_FLIGHT, "gauge", "Requests not answered yet");
    buf_printf(out, IN_FLIGHT " %d\n", in_flight);
    metric_header(out, CONNECTIONS, "gauge", "Client connections, as counted once a second");
    buf_printf(out, CONNECTIONS " %d\n", connections);
}
