#include "tables.h"

#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "mem.h"
#include "state_metrics.h"

const char *const tables_topics[] = {"tickets", "orders", "shows", NULL};

static const struct topic *const topics[TABLES][2] = {
    {&topic_tickets, &topic_tickets_state},
    {&topic_orders, &topic_orders_state},
    {&topic_shows, &topic_shows_state},
};

static size_t offset_of(const struct topic *topic, const char *name) {
    for (int i = 0; i < topic->type->nfields; i++)
        if (strcmp(topic->type->fields[i].name, name) == 0) return topic->type->fields[i].offset;
    abort(); /* these schemas have it */
}

void tables_open(struct tables *ts, struct registry *registry, int64_t patience_ms, int64_t keep_ms) {
    size_t largest = 0;
    *ts = (struct tables){.keep_ms = keep_ms};
    for (int i = 0; i < TABLES; i++) {
        const struct topic *from = topics[i][0];
        ts->all[i] = (struct table){
            .from = from,
            .to = topics[i][1],
            .id_at = offset_of(from, "id"),
            .version_at = offset_of(from, "version"),
            .decoder = wire_decoder_new(registry, from->type, patience_ms),
        };
        if (from->type->size > largest) largest = from->type->size;
    }
    ts->event = mem_alloc(largest);
    tables_forget(ts);
}

void tables_close(struct tables *ts) {
    for (int i = 0; i < TABLES; i++) {
        versions_free(ts->all[i].versions);
        wire_decoder_free(ts->all[i].decoder);
    }
    free(ts->event);
}

void tables_forget(struct tables *ts) {
    for (int i = 0; i < TABLES; i++) {
        versions_free(ts->all[i].versions);
        ts->all[i].versions = versions_new(ts->keep_ms);
    }
}

enum status tables_read(struct tables *ts, const struct table *t, const rd_kafka_message_t *m,
                        struct copied *out, struct why *w) {
    const uint8_t *event = ts->event;
    enum status st = wire_decode(t->decoder, m->payload, m->len, ts->event, w);
    if (st != ST_OK) return st;
    const struct avro_field *type = &t->from->type->fields[t->from->type_field];
    memcpy(&out->id, event + t->id_at, sizeof out->id);
    memcpy(&out->version, event + t->version_at, sizeof out->version);
    out->type = type->symbols[*(const int *)(event + type->offset)];
    return out->version > 0 ? ST_OK : why(w, ST_INVALID, "its version cannot be");
}

void tables_measure(const struct tables *ts) {
    int64_t ids = 0, bytes = 0;
    for (int i = 0; i < TABLES; i++) {
        ids += (int64_t)versions_count(ts->all[i].versions);
        bytes += (int64_t)versions_bytes(ts->all[i].versions);
    }
    metric_set(M_STATE_IDS, ids);
    metric_set(M_STATE_BYTES, bytes);
}
