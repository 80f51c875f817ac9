#include "metrics.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

static const struct {
    const char *name, *help;
    enum kind kind;
} table[METRIC_COUNT] = {
#define COUNTER(id, name, help)   [id] = {name, help, KIND_COUNTER},
#define GAUGE(id, name, help)     [id] = {name, help, KIND_GAUGE},
#define HISTOGRAM(id, name, help) [id] = {name, help, KIND_HISTOGRAM},
#include "metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

static const int64_t bounds_us[HISTOGRAM_BUCKETS] = {100,     200,     500,     1000,    2000,   5000,
                                                     10000,   20000,   50000,   100000,  200000, 500000,
                                                     1000000, 2000000, 5000000, 10000000};

static _Atomic int64_t values[METRIC_COUNT];
static struct histogram histograms[METRIC_COUNT]; /* 9 KB, of which the counters' part stays untouched */

enum { MAX_SOURCES = 8 };
static struct {
    pthread_mutex_t lock;
    struct {
        metrics_source *write;
        void *arg;
    } all[MAX_SOURCES];
    int count;
} sources = {.lock = PTHREAD_MUTEX_INITIALIZER};

void metric_add(enum metric m, int64_t n) {
    atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
}

void metric_set(enum metric m, int64_t v) {
    atomic_store_explicit(&values[m], v, memory_order_relaxed);
}

int64_t metric_value(enum metric m) {
    return atomic_load_explicit(&values[m], memory_order_relaxed);
}

void metric_observe_us(enum metric m, int64_t us) {
    histogram_observe_us(&histograms[m], us);
}

void histogram_observe_us(struct histogram *h, int64_t us) {
    int i = 0;
    while (i < HISTOGRAM_BUCKETS && us > bounds_us[i])
        i++;
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

void histogram_merge(struct histogram *into, const struct histogram *h) {
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    into->sum_us += atomic_load_explicit(&h->sum_us, memory_order_relaxed);
}

void histogram_write(struct buf *out, const struct histogram *h, const char *name, const char *labels) {
    const char *comma = *labels == '\0' ? "" : ",";
    const char *open = *labels == '\0' ? "" : "{", *close = *labels == '\0' ? "" : "}";
    int64_t sum_us = atomic_load_explicit(&h->sum_us, memory_order_relaxed), total = 0;
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        buf_printf(out, "%s_bucket{%s%sle=\"", name, labels, comma);
        if (i < HISTOGRAM_BUCKETS)
            buf_printf(out, "%g\"} %lld\n", (double)bounds_us[i] / 1e6, (long long)total);
        else
            buf_printf(out, "+Inf\"} %lld\n", (long long)total);
    }
    buf_printf(out, "%s_sum%s%s%s %.6f\n", name, open, labels, close, (double)sum_us / 1e6);
    buf_printf(out, "%s_count%s%s%s %lld\n", name, open, labels, close, (long long)total);
}

void metrics_add_source(metrics_source *write, void *arg) {
    pthread_mutex_lock(&sources.lock);
    if (sources.count == MAX_SOURCES) abort(); /* there are as many as kinds of parts in a process */
    sources.all[sources.count].write = write;
    sources.all[sources.count++].arg = arg;
    pthread_mutex_unlock(&sources.lock);
}

void metrics_remove_source(metrics_source *write, void *arg) {
    pthread_mutex_lock(&sources.lock);
    for (int i = 0; i < sources.count; i++)
        if (sources.all[i].write == write && sources.all[i].arg == arg)
            sources.all[i--] = sources.all[--sources.count];
    pthread_mutex_unlock(&sources.lock);
}

void metric_header(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_write(struct buf *out) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    for (int m = 0; m < METRIC_COUNT; m++) {
        metric_header(out, table[m].name, types[table[m].kind], table[m].help);
        if (table[m].kind == KIND_HISTOGRAM)
            histogram_write(out, &histograms[m], table[m].name, "");
        else
            buf_printf(out, "%s %lld\n", table[m].name, (long long)metric_value((enum metric)m));
    }
    pthread_mutex_lock(&sources.lock);
    for (int i = 0; i < sources.count; i++)
        sources.all[i].write(out, sources.all[i].arg);
    pthread_mutex_unlock(&sources.lock);
}
