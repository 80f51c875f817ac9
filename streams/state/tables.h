/* tables: the topics that are copied, each with the topic of its state and the versions that are known of it.
 * One owner thread. */
#pragma once

#include "avro.h"
#include "kafka.h"
#include "versions.h"
#include "wire.h"

enum { TABLES = 3 };

struct table {
    const struct topic *from, *to;
    size_t id_at, version_at; /* in the event's struct */
    struct wire_decoder *decoder;
    struct versions *versions;
};

struct tables {
    struct table all[TABLES];
    int64_t keep_ms;
    void *event; /* the last that was read; has room for each of them */
};

extern const char *const tables_topics[]; /* that are copied, by their number; ends with NULL */

void tables_open(struct tables *ts, struct registry *registry, int64_t patience_ms, int64_t keep_ms);
void tables_close(struct tables *ts);
void tables_forget(struct tables *ts); /* all versions */

struct copied { /* what of an event matters here */
    struct uuid id;
    int32_t version;
    const char *type;
};

/* Reads a record of a table's topic, or of its state. ST_OK, ST_INVALID (it is none, or cannot be), ST_LOST
 * (not now). */
enum status tables_read(struct tables *ts, const struct table *t, const rd_kafka_message_t *m,
                        struct copied *out, struct why *w);

void tables_measure(const struct tables *ts);
