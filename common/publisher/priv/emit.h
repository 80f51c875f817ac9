/* emit: writes rows of the logs to their topics. Each becomes an event with its position, which counts the
 * rows of all logs; one that its topic has already is skipped. A row that says from where it was asked for
 * becomes a second event, of the topic of audits. One owner thread; a struct emit owns all that is in it.
 *
 * The caller begins and commits transactions, in the order of commits, and emits the rows between. It also
 * has to call emit_push and producer_poll, and to look at acks. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "priv/producer.h"
#include "priv/published_tail.h"
#include "priv/row_map.h"

/* A topic is known by its number: each log's has the log's, the one of audits comes behind. */
struct emit_topic {
    const struct topic *topic;
    struct published_tail *tail; /* NULL: the topic has none of what comes */
    void *event;
};

struct emit_log {
    const char *table;
    struct row_map row_map, audit_map;
    int address;        /* the column that says from where a row was asked for; -1: it has none */
    size_t occurred_at; /* where it is in the event */
    int64_t early_us;   /* this and the next: as in publisher_log */
    void (*sent)(const void *event);
};

struct emit {
    struct emit_log logs[PUBLISHER_MAX_LOGS]; /* a log is known by its number here */
    int nlogs, ntopics;
    struct emit_topic topics[PUBLISHER_MAX_TOPICS];
    struct producer producer;
    struct log_position position; /* of the last row */
    bool audit_due;               /* its second event is to be sent, behind the first */
    struct row_beside beside;     /* of that one */
    int64_t watermark_us;         /* all before it, less early_us, were said to be published; 0: none were */
    int64_t late_us;              /* the last watermark that an event came late for: it is logged once */
};

void emit_init(struct emit *e, const struct publisher_log *logs, const struct topic *audit);
void emit_free(struct emit *e); /* drops what is not acknowledged */

/* The columns of the log's rows that come. ST_INVALID: they do not fit the topics' schemas. */
enum status emit_columns(struct emit *e, int log, const struct pgoutput_column *columns, int n,
                         struct why *w);

/* lsn: of the transaction's commit; 0: rows from the log, before the slot. committed_us: as acks_begin. */
void emit_begin(struct emit *e, uint64_t lsn, int64_t committed_us);
/* ST_FULL: some of it waits here, and nothing else may be emitted until emit_push returns ST_OK; the values
 * have to stay where they are until then. A row that can't be published ends the process with exit 70. */
enum status emit_row(struct emit *e, int log, const struct pgoutput_value *values, int n);
enum status emit_push(struct emit *e);
void emit_commit(struct emit *e, uint64_t end_lsn);

/* Tells everybody that all events of transactions that began before this time are published (watermark.h). */
void emit_watermark(struct emit *e, int64_t time_us);
