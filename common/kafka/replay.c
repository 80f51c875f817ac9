#include "replay.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { ASK_MS = 5000 };

struct reading {
    rd_kafka_topic_t *rkt;
    int32_t partition;
};

struct replay {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct reading *readings;
    int count;
};

static const struct kafka_property properties[] = {
    {"isolation.level", "read_committed", KAFKA_FIXED},
    {"enable.partition.eof", "true", KAFKA_FIXED},
    {"auto.offset.reset", "earliest", KAFKA_FIXED}, /* the first record may be deleted meanwhile */
    {"fetch.wait.max.ms", "20", KAFKA_KEPT},        /* at its end it is read for a moment only */
    {"fetch.error.backoff.ms", "100", KAFKA_DEFAULT},
    {"queued.max.messages.kbytes", "2048", KAFKA_DEFAULT},
    {"fetch.message.max.bytes", "262144", KAFKA_DEFAULT},
    {0},
};

/* Asked first, as whoever begins to read a topic that his client does not know of yet waits half a second. */
static enum status look(struct replay *r, const struct replay_part *part, struct why *w) {
    const struct rd_kafka_metadata *found;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(r->rk, part->topic, NULL);
    rd_kafka_resp_err_t err = rd_kafka_metadata(r->rk, 0, rkt, &found, ASK_MS);
    rd_kafka_topic_destroy(rkt);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(w, ST_LOST, "cannot learn of %s: %s", part->topic, rd_kafka_err2str(err));
    enum status st = ST_OK;
    if (found->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        st = why(w, ST_LOST, "cannot learn of %s: %s", part->topic, rd_kafka_err2str(found->topics[0].err));
    else if (found->topics[0].partition_cnt != part->partitions)
        st = why(w, ST_FAILED, "%s has %d partitions, it must have %d", part->topic,
                 found->topics[0].partition_cnt, part->partitions);
    rd_kafka_metadata_destroy(found);
    return st;
}

static enum status look_at_all(struct replay *r, const struct replay_part *parts, int count, struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < count && st == ST_OK; i++)
        if (i == 0 || strcmp(parts[i].topic, parts[i - 1].topic) != 0) st = look(r, &parts[i], w);
    return st;
}

/* Where to begin, into the offsets of the list. Negative ones are places: the beginning, the end. */
static enum status find_first(struct replay *r, const struct replay_part *parts, int count,
                              rd_kafka_topic_partition_list_t *first, struct why *w) {
    for (int i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(first, parts[i].topic, parts[i].partition)->offset =
            parts[i].since_ms > 0 ? parts[i].since_ms : RD_KAFKA_OFFSET_BEGINNING;
    if (count == 0) return ST_OK;
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(r->rk, first, ASK_MS);
    for (int i = 0; i < count && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        err = first->elems[i].err;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return why(w, ST_LOST, "cannot learn where to begin in %s: %s", parts[0].topic, rd_kafka_err2str(err));
}

static enum status start(struct replay *r, const rd_kafka_topic_partition_list_t *first, struct why *w) {
    for (; r->count < first->cnt; r->count++) {
        const rd_kafka_topic_partition_t *from = &first->elems[r->count];
        struct reading *reading = &r->readings[r->count];
        *reading = (struct reading){rd_kafka_topic_new(r->rk, from->topic, NULL), from->partition};
        if (rd_kafka_consume_start_queue(reading->rkt, from->partition, from->offset, r->queue) == 0)
            continue;
        rd_kafka_topic_destroy(reading->rkt);
        return why(w, ST_FAILED, "cannot read %s/%d: %s", from->topic, from->partition,
                   rd_kafka_err2str(rd_kafka_last_error()));
    }
    return ST_OK;
}

static enum status begin(struct replay *r, const struct replay_part *parts, int count, struct why *w) {
    rd_kafka_topic_partition_list_t *first = rd_kafka_topic_partition_list_new(count);
    enum status st = look_at_all(r, parts, count, w);
    if (st == ST_OK) st = find_first(r, parts, count, first, w);
    if (st == ST_OK) st = start(r, first, w);
    rd_kafka_topic_partition_list_destroy(first);
    return st;
}

struct replay *replay_open(const char *brokers, const struct replay_part *parts, int count, struct why *w) {
    rd_kafka_conf_t *conf = kafka_conf(brokers, properties, w);
    rd_kafka_t *rk = conf == NULL ? NULL : kafka_client(RD_KAFKA_CONSUMER, conf, w);
    if (rk == NULL) return NULL;
    struct replay *r = mem_alloc(sizeof *r);
    r->rk = rk;
    r->queue = rd_kafka_queue_new(rk);
    r->readings = mem_alloc((size_t)(count + 1) * sizeof *r->readings);
    if (begin(r, parts, count, w) == ST_OK) return r;
    replay_close(r);
    return NULL;
}

void replay_close(struct replay *r) {
    if (r == NULL) return;
    for (int i = 0; i < r->count; i++) {
        rd_kafka_consume_stop(r->readings[i].rkt, r->readings[i].partition);
        rd_kafka_topic_destroy(r->readings[i].rkt);
    }
    rd_kafka_queue_destroy(r->queue);
    rd_kafka_destroy(r->rk);
    free(r->readings);
    free(r);
    malloc_trim(0); /* else most of it is kept for nobody */
}

rd_kafka_message_t *replay_next(struct replay *r, int timeout_ms) {
    rd_kafka_poll(r->rk, 0);
    return rd_kafka_consume_queue(r->queue, timeout_ms);
}

int64_t replay_left(const struct replay *r, const char *topic, int32_t partition, int64_t next) {
    int64_t low, high;
    if (rd_kafka_get_watermark_offsets(r->rk, topic, partition, &low, &high) != 0) return 0;
    if (next < low) next = low;
    return high > next ? high - next : 0;
}
