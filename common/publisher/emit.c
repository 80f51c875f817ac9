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

void emit_init(struct emit *e, const struct publisher_log *logs) {
    *e = (struct emit){0};
    for (; logs[e->nlogs].table != NULL; e->nlogs++) {
        const struct publisher_log *log = &logs[e->nlogs];
        e->logs[e->nlogs] = (struct emit_log){.table = log->table,
                                              .topic = log->topic,
                                              .event = mem_alloc(log->topic->type->size),
                                              .occurred_at = offset_of_time(log->topic->type),
                                              .early_us = log->early_ms * INT64_C(1000),
                                              .sent = log->sent};
    }
}

static void forget_tail(struct emit_log *log) {
    published_tail_free(log->tail);
    log->tail = NULL;
}

void emit_free(struct emit *e) {
    producer_close(&e->producer);
    for (int i = 0; i < e->nlogs; i++) {
        forget_tail(&e->logs[i]);
        free(e->logs[i].event);
    }
}

enum status emit_columns(struct emit *e, int log, const struct pgoutput_column *columns, int n,
                         struct why *w) {
    return row_map_set(&e->logs[log].row_map, e->logs[log].topic, columns, n, w);
}

void emit_begin(struct emit *e, uint64_t lsn, int64_t committed_us) {
    e->position = (struct log_position){.lsn = lsn};
    acks_begin(&e->producer.acks, committed_us);
    for (int i = 0; i < e->nlogs; i++) {
        struct published_tail *tail = e->logs[i].tail;
        /* The topic has nothing from here on. */
        if (tail != NULL && lsn > published_tail_end(tail)) forget_tail(&e->logs[i]);
    }
}

static void note_time(struct emit *e, const struct emit_log *log) {
    int64_t occurred_us;
    memcpy(&occurred_us, (const uint8_t *)log->event + log->occurred_at, sizeof occurred_us);
    int64_t told_us = e->watermark_us - log->early_us;
    if (occurred_us >= told_us) return;
    metric_add(M_LATE_EVENTS, 1);
    if (e->late_us == e->watermark_us) return;
    e->late_us = e->watermark_us;
    log_error("publisher",
              "an event of %s occurred %lld us before the time up to which all were said to be published",
              log->table, (long long)(told_us - occurred_us));
}

enum status emit_row(struct emit *e, int number, const struct pgoutput_value *values, int n) {
    struct emit_log *log = &e->logs[number];
    struct why w;
    struct row_beside beside;
    if (row_map_fill(&log->row_map, values, n, log->event, &beside, &w) != ST_OK) {
        /* Skipping it would lose an event. A newer version of this service, perhaps standing by already, may
         * be able to publish it. */
        log_error("publisher", "cannot publish a row of %s, ending the process: %s", log->table, w.text);
        _exit(EX_SOFTWARE);
    }
    e->position.ordinal++;
    if (log->tail != NULL &&
        published_tail_have(log->tail, producer_partition(&e->producer, number, log->event), e->position)) {
        metric_add(M_PUBLISH_SKIPPED, 1);
        return ST_OK;
    }
    note_time(e, log);
    if (log->sent != NULL && e->position.lsn != 0) log->sent(log->event);
    return producer_send(&e->producer, number, log->event, e->position, &beside);
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
