#include "metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SOURCES = 32 }; /* a process has one or two for each of its modules */
static struct {
    pthread_mutex_t lock;
    struct {
        metrics_source *write;
        void *arg;
    } all[MAX_SOURCES];
    int count;
} sources = {.lock = PTHREAD_MUTEX_INITIALIZER};

void metric_add(struct metric *m, int64_t n) {
    atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void metric_set(struct metric *m, int64_t v) {
    atomic_store_explicit(&m->value, v, memory_order_relaxed);
}

int64_t metric_value(const struct metric *m) {
    return atomic_load_explicit(&m->value, memory_order_relaxed);
}

void metric_observe_us(struct metric *m, int64_t us) {
    histogram_observe_us(&m->histogram, us);
}

void metric_header(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The place of a source, or sources.count. Under the lock. */
static int find(metrics_source *write, void *arg) {
    int i = 0;
    while (i < sources.count && (sources.all[i].write != write || sources.all[i].arg != arg))
        i++;
    return i;
}

void metrics_add_source(metrics_source *write, void *arg) {
    pthread_mutex_lock(&sources.lock);
    int i = find(write, arg);
    if (i == MAX_SOURCES) abort();
    if (i == sources.count) {
        sources.all[i].write = write;
        sources.all[i].arg = arg;
        sources.count++;
    }
    pthread_mutex_unlock(&sources.lock);
}

void metrics_remove_source(metrics_source *write, void *arg) {
    pthread_mutex_lock(&sources.lock);
    int i = find(write, arg);
    if (i < sources.count) {
        sources.count--;
        memmove(&sources.all[i], &sources.all[i + 1], (size_t)(sources.count - i) * sizeof sources.all[0]);
    }
    pthread_mutex_unlock(&sources.lock);
}

static void write_table(struct buf *out, void *table) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    for (struct metric *const *at = table; *at != NULL; at++) {
        const struct metric *m = *at;
        metric_header(out, m->name, types[m->type], m->help);
        if (m->type == METRIC_HISTOGRAM)
            histogram_write(out, &m->histogram, m->name, "");
        else
            buf_printf(out, "%s %lld\n", m->name, (long long)metric_value(m));
    }
}

void metrics_register(struct metric *const *table) {
    metrics_add_source(write_table, (void *)table);
}

void metrics_write(struct buf *out) {
    pthread_mutex_lock(&sources.lock);
    for (int i = 0; i < sources.count; i++)
        sources.all[i].write(out, sources.all[i].arg);
    pthread_mutex_unlock(&sources.lock);
}
