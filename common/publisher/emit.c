#include "priv/emit.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"
#include "priv/publisher_metrics.h"

static size_t offset_of_time(const struct avro_type *type) {
    for (int i = 0; i < type->nfields; i++)
        if (strcmp(type->fields[i].name, "occurredAt") == 0) return type->fields[i].offset;
    abort(); /* every schema of ours has it */
}

static void add_topic(struct emit *e, const struct topic *topic) {
    e->topics[e->ntopics++] = (struct emit_topic){.topic = topic, .event = mem_alloc(topic->type->size)};
}

void emit_init(struct emit *e, const struct publisher_log *logs, const struct topic *audit) {
    *e = (struct emit){0};
    for (; logs[e->nlogs].table != NULL; e->nlogs++) {
        const struct publisher_log *log = &logs[e->nlogs];
        e->logs[e->nlogs] = (struct emit_log){.table = log->table,
                                              .address = -1,
                                              .occurred_at = offset_of_time(log->topic->type),
                                              .early_us = log->early_ms * INT64_C(1000),
                                              .sent = log->sent};
        add_topic(e, log->topic);
    }
    if (audit != NULL) add_topic(e, audit);
}

static void forget_tail(struct emit_topic *t) {
    published_tail_free(t->tail);
    t->tail = NULL;
}

void emit_free(struct emit *e) {
    producer_close(&e->producer);
    for (int i = 0; i < e->ntopics; i++) {
        forget_tail(&e->topics[i]);
        free(e->topics[i].event);
    }
}

static int column_of(const struct pgoutput_column *columns, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(columns[i].name, name) == 0) return i;
    return -1;
}

enum status emit_columns(struct emit *e, int number, const struct pgoutput_column *columns, int n,
                         struct why *w) {
    struct emit_log *log = &e->logs[number];
    /* Rows of before there was an address are still in the WAL when it comes. */
    log->address = e->ntopics > e->nlogs ? column_of(columns, n, "address") : -1;
    enum status st = row_map_set(&log->row_map, e->topics[number].topic, columns, n, w);
    if (st != ST_OK || log->address < 0) return st;
    return row_map_set(&log->audit_map, e->topics[e->nlogs].topic, columns, n, w);
}

void emit_begin(struct emit *e, uint64_t lsn, int64_t committed_us) {
    e->position = (struct log_position){.lsn = lsn};
    acks_begin(&e->producer.acks, committed_us);
    for (int i = 0; i < e->ntopics; i++) {
        struct published_tail *tail = e->topics[i].tail;
        /* The topic has nothing from here on. */
        if (tail != NULL && lsn > published_tail_end(tail)) forget_tail(&e->topics[i]);
    }
}

static void note_time(struct emit *e, int number) {
    const struct emit_log *log = &e->logs[number];
    int64_t occurred_us;
    memcpy(&occurred_us, (const uint8_t *)e->topics[number].event + log->occurred_at, sizeof occurred_us);
    int64_t told_us = e->watermark_us - log->early_us;
    if (occurred_us >= told_us) return;
    metric_add(M_LATE_EVENTS, 1);
    if (e->late_us == e->watermark_us) return;
    e->late_us = e->watermark_us;
    log_error("publisher",
              "an event of %s occurred %lld us before the time up to which all were said to be published",
              log->table, (long long)(told_us - occurred_us));
}

/* Skipping a row would lose an event. A newer version of this service, perhaps standing by already, may be
 * able to publish it. */
static void fill(struct emit *e, const struct emit_log *log, const struct row_map *map, int topic,
                 const struct pgoutput_value *values, int n) {
    struct why w;
    if (row_map_fill(map, values, n, e->topics[topic].event, &e->beside, &w) == ST_OK) return;
    log_error("publisher", "cannot publish a row of %s, ending the process: %s", log->table, w.text);
    _exit(EX_SOFTWARE);
}

static bool is_there(const struct emit *e, int topic) {
    const struct emit_topic *t = &e->topics[topic];
    if (t->tail == NULL) return false;
    if (!published_tail_have(t->tail, producer_partition(&e->producer, topic, t->event), e->position))
        return false;
    metric_add(M_PUBLISH_SKIPPED, 1);
    return true;
}

static enum status send_event(struct emit *e, int topic) {
    return producer_send(&e->producer, topic, e->topics[topic].event, e->position, &e->beside);
}

static enum status send_audit(struct emit *e) {
    if (!e->audit_due) return ST_OK;
    e->audit_due = false;
    return is_there(e, e->nlogs) ? ST_OK : send_event(e, e->nlogs);
}

enum status emit_row(struct emit *e, int number, const struct pgoutput_value *values, int n) {
    struct emit_log *log = &e->logs[number];
    fill(e, log, &log->row_map, number, values, n);
    e->audit_due = log->address >= 0 && values[log->address].n >= 0;
    if (e->audit_due) fill(e, log, &log->audit_map, e->nlogs, values, n);
    e->position.ordinal++;
    if (is_there(e, number)) return send_audit(e);
    note_time(e, number);
    if (log->sent != NULL && e->position.lsn != 0) log->sent(e->topics[number].event);
    enum status st = send_event(e, number);
    return st == ST_OK ? send_audit(e) : st;
}

enum status emit_push(struct emit *e) {
    enum status st = producer_push(&e->producer);
    return st == ST_OK ? send_audit(e) : st;
}

void emit_commit(struct emit *e, uint64_t end_lsn) {
    acks_commit(&e->producer.acks, end_lsn);
}

void emit_watermark(struct emit *e, int64_t time_us) {
    e->watermark_us = time_us;
    producer_learn_ends(&e->producer);
    for (int i = 0; i < e->nlogs; i++)
        producer_tell_watermark(&e->producer, i, time_us - e->logs[i].early_us);
}
