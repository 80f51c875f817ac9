/* The replication stream: a frame, and the message in it, read and then looked at in every place it points
 * to. */
#include <string.h>

#include "events.h"
#include "priv/row_map.h"

static volatile size_t sink;

static void touch(const uint8_t *bytes, size_t n) {
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += bytes[i];
    sink += sum;
}

static void touch_relation(const struct pgoutput_message *m) {
    struct why w;
    struct row_map map;
    for (int i = 0; i < m->ncolumns; i++)
        touch((const uint8_t *)m->columns[i].name, strlen(m->columns[i].name));
    row_map_set(&map, &topic_tickets, m->columns, m->ncolumns, &w);
}

/* Values of any shape into fields of every kind. */
static void touch_insert(const struct pgoutput_message *m) {
    static const struct pgoutput_column columns[] = {
        {"type", 25},      {"id", 2950},       {"version", 23},     {"occurred_at", 1184},
        {"user_id", 2950}, {"title", 25},      {"price", 20},       {"currency", 25},
        {"status", 25},    {"order_id", 2950}, {"traceparent", 25},
    };
    struct why w;
    struct row_map map;
    struct ticket_event event;
    struct row_beside beside;
    for (int i = 0; i < m->ncolumns; i++)
        if (m->values[i].n > 0) touch(m->values[i].bytes, (size_t)m->values[i].n);
    if (row_map_set(&map, &topic_tickets, columns, sizeof columns / sizeof *columns, &w) != ST_OK)
        __builtin_trap();
    if (row_map_fill(&map, m->values, m->ncolumns, &event, &beside, &w) != ST_OK) return;
    uint8_t out[4096];
    touch((const uint8_t *)beside.traceparent.p, beside.traceparent.n);
    touch(out, topic_tickets.type->encode(&event, out, sizeof out));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct pgoutput_frame frame;
    struct pgoutput_message message;
    struct why w;
    if (pgoutput_frame(bytes, n, &frame, &w) != ST_OK || frame.kind != FRAME_DATA) return 0;
    if (pgoutput_read(frame.message, frame.n, &message, &w) != ST_OK) return 0;
    if (message.kind == PGOUTPUT_RELATION) touch_relation(&message);
    if (message.kind == PGOUTPUT_INSERT) touch_insert(&message);
    return 0;
}
