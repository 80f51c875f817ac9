#include "changelog.h"

#include <malloc.h>
#include <stdlib.h>

#include "events.h"
#include "mem.h"

enum { ASK_MS = 5000 };

const char changelog_topic[] = "sales-changelog";

struct changelog {
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    rd_kafka_queue_t *queue;
    int32_t *partitions; /* of these `count` are read */
    int count;
};

static const struct kafka_property properties[] = {
    {"isolation.level", "read_committed", true},  {"enable.partition.eof", "true", true},
    {"fetch.wait.max.ms", "20", false}, /* at its end it is read for a moment only */
    {"fetch.error.backoff.ms", "100", false},     {"queued.max.messages.kbytes", "2048", false},
    {"fetch.message.max.bytes", "262144", false}, {0},
};

/* Asked first, as whoever begins to read a topic that his client does not know of yet waits half a second. */
static enum status look(struct changelog *c, struct why *w) {
    const struct rd_kafka_metadata *found;
    rd_kafka_resp_err_t err = rd_kafka_metadata(c->rk, 0, c->rkt, &found, ASK_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(w, ST_LOST, "cannot learn of %s: %s", changelog_topic, rd_kafka_err2str(err));
    enum status st = ST_OK;
    if (found->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        st = why(w, ST_LOST, "cannot learn of %s: %s", changelog_topic,
                 rd_kafka_err2str(found->topics[0].err));
    else if (found->topics[0].partition_cnt != topic_orders.partitions)
        st = why(w, ST_FAILED, "%s has %d partitions, it must have as many as orders: %d", changelog_topic,
                 found->topics[0].partition_cnt, topic_orders.partitions);
    rd_kafka_metadata_destroy(found);
    return st;
}

static enum status start(struct changelog *c, const int32_t *partitions, int count, struct why *w) {
    for (; c->count < count; c->count++) {
        c->partitions[c->count] = partitions[c->count];
        if (rd_kafka_consume_start_queue(c->rkt, partitions[c->count], RD_KAFKA_OFFSET_BEGINNING, c->queue) !=
            0)
            return why(w, ST_FAILED, "cannot read %s/%d: %s", changelog_topic, partitions[c->count],
                       rd_kafka_err2str(rd_kafka_last_error()));
    }
    return ST_OK;
}

struct changelog *changelog_open(const char *brokers, const int32_t *partitions, int count, struct why *w) {
    rd_kafka_conf_t *conf = kafka_conf(brokers, properties, w);
    rd_kafka_t *rk = conf == NULL ? NULL : kafka_client(RD_KAFKA_CONSUMER, conf, w);
    if (rk == NULL) return NULL;
    struct changelog *c = mem_alloc(sizeof *c);
    c->rk = rk;
    c->rkt = rd_kafka_topic_new(rk, changelog_topic, NULL);
    c->queue = rd_kafka_queue_new(rk);
    c->partitions = mem_alloc((size_t)(count + 1) * sizeof *c->partitions);
    if (look(c, w) == ST_OK && start(c, partitions, count, w) == ST_OK) return c;
    changelog_close(c);
    return NULL;
}

void changelog_close(struct changelog *c) {
    if (c == NULL) return;
    for (int i = 0; i < c->count; i++)
        rd_kafka_consume_stop(c->rkt, c->partitions[i]);
    rd_kafka_queue_destroy(c->queue);
    rd_kafka_topic_destroy(c->rkt);
    rd_kafka_destroy(c->rk);
    free(c->partitions);
    free(c);
    malloc_trim(0); /* else most of it is kept for nobody */
}

rd_kafka_message_t *changelog_next(struct changelog *c, int timeout_ms) {
    rd_kafka_poll(c->rk, 0);
    return rd_kafka_consume_queue(c->queue, timeout_ms);
}

int64_t changelog_left(const struct changelog *c, int32_t partition, int64_t next) {
    int64_t low, high;
    if (rd_kafka_get_watermark_offsets(c->rk, changelog_topic, partition, &low, &high) != 0) return 0;
    if (next < low) next = low;
    return high > next ? high - next : 0;
}
