#include "priv/emit.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"
#include "priv/publisher_metrics.h"

void emit_init(struct emit *e, const struct topic *topic, const char *table) {
    *e = (struct emit){.topic = topic, .table = table, .event = mem_alloc(topic->type->size)};
}

void emit_free(struct emit *e) {
    producer_close(&e->producer);
    published_tail_free(e->tail);
    free(e->event);
}

enum status emit_columns(struct emit *e, const struct pgoutput_column *columns, int n, struct why *w) {
    return row_map_set(&e->row_map, e->topic, columns, n, w);
}

void emit_begin(struct emit *e, uint64_t lsn, int64_t committed_us) {
    e->position = (struct log_position){.lsn = lsn};
    acks_begin(&e->producer.acks, committed_us);
    if (e->tail == NULL || lsn <= published_tail_end(e->tail)) return;
    published_tail_free(e->tail); /* the topic has nothing from here on */
    e->tail = NULL;
}

enum status emit_row(struct emit *e, const struct pgoutput_value *values, int n) {
    struct why w;
    struct str traceparent;
    if (row_map_fill(&e->row_map, values, n, e->event, &traceparent, &w) != ST_OK) {
        /* Skipping it would lose an event. A newer version of this service, perhaps standing by already, may
         * be able to publish it. */
        log_error("publisher", "cannot publish a row of %s, ending the process: %s", e->table, w.text);
        _exit(EX_SOFTWARE);
    }
    e->position.ordinal++;
    if (e->tail != NULL &&
        published_tail_have(e->tail, producer_partition(&e->producer, e->event), e->position)) {
        metric_add(M_PUBLISH_SKIPPED, 1);
        return ST_OK;
    }
    return producer_send(&e->producer, e->event, e->position, traceparent);
}

void emit_commit(struct emit *e, uint64_t end_lsn) {
    acks_commit(&e->producer.acks, end_lsn);
}
