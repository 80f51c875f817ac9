#include "clock.h"
#include "group_metrics.h"
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
    return transactions_write(x->output, &record, w);
}

static enum status write_all(struct state *x, struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < x->ncopies && st == ST_OK; i++)
        st = write_copy(x, &x->copies[i], w);
    if (st != ST_OK) {
        transactions_abort(x->output);
        return st;
    }
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(x->nparts);
    for (int i = 0; i < x->nparts; i++) {
        const struct part *p = &x->parts[i];
        if (p->position != p->published)
            rd_kafka_topic_partition_list_add(offsets, p->table->from->name, p->number)->offset = p->position;
    }
    st = transactions_commit(x->output, offsets, x->member, w);
    rd_kafka_topic_partition_list_destroy(offsets);
    return st;
}

static void committed(struct state *x) {
    int64_t now_ms = clock_wall_us() / 1000;
    for (int i = 0; i < x->ncopies; i++) {
        int64_t ms = now_ms - x->copies[i].came_ms;
        metric_observe_us(M_STATE_TIME, ms > 0 ? ms * 1000 : 0);
    }
    metric_add(M_STATE_WRITTEN, x->ncopies);
    metric_add(M_STATE_COMMITS, 1);
    metric_add(M_CONSUMED, x->read);
    for (int i = 0; i < x->nparts; i++)
        x->parts[i].published = x->parts[i].position;
    x->ncopies = x->read = 0;
    x->values.len = 0;
    x->due_at_us = INT64_MAX;
}

enum status state_commit(struct state *x, struct why *w) {
    if (x->due_at_us == INT64_MAX) return ST_OK;
    enum status st = transactions_begin(x->output, w);
    if (st == ST_OK) st = write_all(x, w);
    if (st == ST_OK)
        committed(x);
    else
        metric_add(M_STATE_ABORTS, 1);
    return st;
}
