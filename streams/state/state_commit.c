#include "clock.h"
#include "priv/state_priv.h"
#include "state_metrics.h"

static enum status write_copy(struct state *x, const struct copy *c, struct why *w) {
    char key[UUID_TEXT];
    uuid_format(&c->id, key);
    const struct transactions_record record = {.topic = c->to->name,
                                               .partition = c->partition,
                                               .key = {key, sizeof key},
                                               .value = {(const char *)x->values.data + c->at, c->size},
                                               .type = c->type};
    return transactions_write(x->exact.output, &record, w);
}

enum status state_write(void *state, rd_kafka_topic_partition_list_t *positions, struct why *w) {
    struct state *x = state;
    enum status st = ST_OK;
    for (int i = 0; i < x->ncopies && st == ST_OK; i++)
        st = write_copy(x, &x->copies[i], w);
    for (int i = 0; i < x->nparts; i++) {
        const struct part *p = &x->parts[i];
        if (p->position != p->published)
            rd_kafka_topic_partition_list_add(positions, p->table->from->name, p->number)->offset =
                p->position;
    }
    return st;
}

void state_ended(void *state, enum status st) {
    struct state *x = state;
    int64_t now_ms = clock_wall_us() / 1000;
    metric_add(st == ST_OK ? M_STATE_COMMITS : M_STATE_ABORTS, 1);
    if (st != ST_OK) return;
    for (int i = 0; i < x->ncopies; i++) {
        int64_t ms = now_ms - x->copies[i].came_ms;
        metric_observe_us(M_STATE_TIME, ms > 0 ? ms * 1000 : 0);
    }
    metric_add(M_STATE_WRITTEN, x->ncopies);
    for (int i = 0; i < x->nparts; i++)
        x->parts[i].published = x->parts[i].position;
    x->ncopies = 0;
    x->values.len = 0;
}
