/* metrics: counters, gauges and histograms of one process, written as Prometheus text.
 *
 * Each module has a table of its metrics in its NAME_metrics.h, and registers it when it starts: /metrics has
 * the metrics of the modules that run in the process, and no others. A metric lives as long as the process,
 * and may be updated whether or not its table is registered. Any thread; an update is a relaxed atomic
 * operation or two. metrics_write calls the sources while it holds a lock, so a source must not add or remove
 * one. */
#pragma once

#include <stdint.h>

#include "buf.h"
#include "histogram.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    const char *name, *help;
    enum metric_type type;
    union {
        _Atomic int64_t value; /* of a counter or a gauge */
        struct histogram histogram;
    };
};

/* A module's table is a macro of one line a metric. Names end as Prometheus wants them: _total for counters,
 * _seconds for durations.
 *
 *     #define DB_METRICS(X)                                                          \
 *         X(M_DB_BATCHES, COUNTER, "onsale_db_batches_total", "Batches sent")        \
 *         X(M_DB_WAITING, GAUGE, "onsale_db_waiting_items", "Items not answered")
 *     METRICS_DECLARE(db_metrics, DB_METRICS);
 *
 * and in one source file METRICS_DEFINE(db_metrics, DB_METRICS). Each metric is an array of one, so that its
 * name is the pointer which the functions below take. */
#define METRICS_DECLARE(table, METRICS) METRICS(METRIC_DECLARE) extern struct metric *const table[]
#define METRICS_DEFINE(table, METRICS)                                                                       \
    METRICS(METRIC_DEFINE) struct metric *const table[] = {METRICS(METRIC_LIST) NULL}
#define METRIC_DECLARE(id, type_, name_, help_) extern struct metric id[1];
#define METRIC_DEFINE(id, type_, name_, help_)                                                               \
    struct metric id[1] = {{.name = (name_), .help = (help_), .type = METRIC_##type_}};
#define METRIC_LIST(id, type_, name_, help_) id,

/* From now on metrics_write writes the table; once, however often it is registered. */
void metrics_register(struct metric *const *table);
void metrics_write(struct buf *out);

void metric_add(struct metric *m, int64_t n);         /* counters; gauges that several threads share */
void metric_set(struct metric *m, int64_t v);         /* gauges */
void metric_observe_us(struct metric *m, int64_t us); /* histograms; written in seconds */
int64_t metric_value(const struct metric *m);         /* counters and gauges */

/* Metrics that no table can have, such as those with labels: metrics_write calls the source each time, after
 * what was added before. Once removed, it is not called again. */
typedef void metrics_source(struct buf *out, void *arg);
void metrics_add_source(metrics_source *source, void *arg);
void metrics_remove_source(metrics_source *source, void *arg);

/* The lines in front of a metric's values (HELP, TYPE): for sources. */
void metric_header(struct buf *out, const char *name, const char *type, const char *help);
