/* metrics: counters, gauges and histograms of one process, from a table (metrics.def), written as Prometheus
 * text.
 *
 * Updating is one relaxed atomic add, from any thread. Rates of HTTP requests by route and status are kept by
 * http. */
#pragma once

#include <stdint.h>

#include "mem.h"

enum metric {
#define COUNTER(id, name, help)   id,
#define GAUGE(id, name, help)     id,
#define HISTOGRAM(id, name, help) id,
#include "metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
    METRIC_COUNT
};

void metric_add(enum metric m, int64_t n); /* counters */
void metric_set(enum metric m, int64_t v); /* gauges */
void metric_observe_us(enum metric m,
                       int64_t us);  /* histograms of durations, in microseconds; exported in seconds */
int64_t metric_value(enum metric m); /* counters and gauges */
void metrics_write(struct buf *out);

/* Further text for /metrics (http's route table, librdkafka's lag): called at each scrape, never after it is
 * removed. */
typedef void metrics_source(struct buf *out, void *arg);
void metrics_add_source(metrics_source *source, void *arg);
void metrics_remove_source(metrics_source *source, void *arg);

/* What stands before a metric's values there. */
void metric_header(struct buf *out, const char *name, const char *type, const char *help);

/* A histogram outside the table, of which http keeps one a route. 1-2-5 steps from 100 us to 10 s. */
enum { HISTOGRAM_BUCKETS = 16 };
struct histogram {
    _Atomic int64_t buckets[HISTOGRAM_BUCKETS + 1], sum_us;
};
void histogram_observe_us(struct histogram *h, int64_t us);
void histogram_merge(struct histogram *into, const struct histogram *h); /* into is the caller's alone */
/* labels: `route="/api/tickets"`, or "" */
void histogram_write(struct buf *out, const struct histogram *h, const char *name, const char *labels);
