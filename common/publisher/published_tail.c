#include "priv/published_tail.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "kafka.h"
#include "kafka_config.h"
#include "log.h"
#include "log_mark.h"
#include "mem.h"

/* Looked at from the end of each partition at first. The last record would do but for requests of a dead
 * owner that came late: they put records that are older than the newest behind it, a few batches of them at
 * most. */
enum { FIRST_WINDOW = 1000, WINDOW_GROWTH = 8 };

/* Between ticks, and for the broker's answer to one question. */
enum { TICK_MS = 250, ANSWER_MS = 1000, AGAIN_MS = 50 };

/* The quiet that is waited for, in slowest answers; at most half of what a take-over may last. */
enum { SLOWEST_ANSWERS = 5, LONGEST_QUIET_US = 1000 * 1000 };

/* Records' times are by their producer's clock, the epoch's beginning by Postgres's. A larger difference
 * costs duplicates, and only in a partition without a record of this epoch in its first window. */
static const int64_t CLOCKS_DIFFER_MS = 10 * 60 * 1000;

struct tail {
    int64_t low, high;   /* offsets that the partition had when last asked */
    int64_t from, until; /* being read */
    bool reading;
    bool found;
    struct log_position last; /* the newest of this epoch */
};

struct published_tail {
    struct published_tail_options o;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    uint64_t epoch;
    bool seen;          /* a record of this epoch, since this was last false */
    int64_t slowest_us; /* answer, since this was last 0 */
    struct why trouble; /* the last that librdkafka had */
    int partitions;
    struct tail *tails; /* one a partition */
};

static const struct kafka_property properties[] = {
    {"enable.partition.eof", "true", KAFKA_FIXED},
    /* Ours are in no transaction; a foreign one that hangs must not hide them. */
    {"isolation.level", "read_uncommitted", KAFKA_FIXED},
    {"enable.auto.commit", "false", KAFKA_FIXED},
    /* Records may expire while we look. */
    {"auto.offset.reset", "earliest", KAFKA_FIXED},
    {"fetch.error.backoff.ms", "20", KAFKA_DEFAULT},
    {"fetch.wait.max.ms", "100", KAFKA_KEPT},
    {0},
};

/* The text goes into our error. Otherwise this client, which is used for a moment, would log it at each try.
 */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque) {
    (void)rk;
    struct published_tail *t = opaque;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) why(&t->trouble, ST_OK, "%s", reason);
}

static enum status connect_to(struct published_tail *t, const struct published_tail_options *o,
                              struct why *w) {
    *t = (struct published_tail){.o = *o, .partitions = o->topic->partitions};
    rd_kafka_conf_t *conf = kafka_conf(o->brokers, properties, w);
    if (conf == NULL) return ST_INVALID;
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, t);
    t->rk = kafka_client(RD_KAFKA_CONSUMER, conf, w);
    if (t->rk == NULL) return ST_INVALID;
    t->rkt = rd_kafka_topic_new(t->rk, o->topic->name, NULL);
    t->tails = mem_alloc((size_t)t->partitions * sizeof *t->tails);
    t->epoch = (uint64_t)o->epoch;
    return ST_OK;
}

static void disconnect(struct published_tail *t) {
    if (t->rk == NULL) return;
    rd_kafka_topic_destroy(t->rkt);
    rd_kafka_destroy(t->rk);
    t->rk = NULL;
}

static const char *trouble(struct published_tail *t, rd_kafka_resp_err_t err) {
    rd_kafka_poll(t->rk, 0);
    return t->trouble.text[0] != 0 ? t->trouble.text : rd_kafka_err2str(err);
}

static enum status check_topic(const struct topic *topic, const rd_kafka_metadata_topic_t *found,
                               struct why *w) {
    if (found->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return why(w, ST_NOT_FOUND, "Kafka has no topic %s: create it with %d partitions", topic->name,
                   topic->partitions);
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(w, ST_LOST, "topic %s: %s", topic->name, rd_kafka_err2str(found->err));
    /* Keys would go elsewhere than those of its sibling topics. */
    if (found->partition_cnt != topic->partitions)
        return why(w, ST_FAILED, "topic %s has %d partitions, but schemas/avro/topics.json says %d",
                   topic->name, found->partition_cnt, topic->partitions);
    return ST_OK;
}

/* In-sync replicas, which min.insync.replicas counts, are replicas. */
static int copies_of(struct published_tail *t, const rd_kafka_metadata_topic_t *found, int timeout_ms) {
    int copies =
        kafka_config_int(t->rk, RD_KAFKA_RESOURCE_TOPIC, t->o.topic->name, "min.insync.replicas", timeout_ms);
    for (int i = 0; i < found->partition_cnt; i++)
        if (found->partitions[i].replica_cnt < copies) copies = found->partitions[i].replica_cnt;
    return copies < 0 ? 0 : copies;
}

static enum status ask_topic(struct published_tail *t, int timeout_ms, int *copies, struct why *w) {
    const struct topic *topic = t->o.topic;
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(t->rk, 0, t->rkt, &metadata, timeout_ms);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(w, ST_LOST, "Kafka does not answer: %.200s", trouble(t, err));
    enum status st = metadata->topic_cnt == 1
                         ? check_topic(topic, &metadata->topics[0], w)
                         : why(w, ST_LOST, "Kafka said nothing about topic %s", topic->name);
    if (st == ST_OK) *copies = copies_of(t, &metadata->topics[0], timeout_ms);
    rd_kafka_metadata_destroy(metadata);
    return st;
}

enum status published_tail_check_topic(const char *brokers, const struct topic *topic, int timeout_ms,
                                       int *copies, struct why *w) {
    struct published_tail t;
    enum status st = connect_to(&t, &(struct published_tail_options){.brokers = brokers, .topic = topic}, w);
    if (st == ST_OK) st = ask_topic(&t, timeout_ms, copies, w);
    disconnect(&t);
    free(t.tails);
    return st;
}

/* Asks a question until Kafka answers, as long as tick says so. */
typedef rd_kafka_resp_err_t question(struct published_tail *t, int partition);

static enum status ask(struct published_tail *t, question *q, int partition, struct why *w) {
    for (rd_kafka_resp_err_t said = RD_KAFKA_RESP_ERR_NO_ERROR;;) {
        enum status st = t->o.tick(t->o.arg, w);
        if (st != ST_OK) return st;
        int64_t asked_us = clock_mono_us();
        rd_kafka_resp_err_t err = q(t, partition);
        int64_t took_us = clock_mono_us() - asked_us;
        if (took_us > t->slowest_us) t->slowest_us = took_us;
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
        if (err != said)
            log_warn("publisher", "waiting for the ends of topic %s: %s", t->o.topic->name, trouble(t, err));
        said = err;
        rd_kafka_poll(t->rk, AGAIN_MS);
    }
}

static rd_kafka_resp_err_t ask_ends(struct published_tail *t, int partition) {
    struct tail *tail = &t->tails[partition];
    return rd_kafka_query_watermark_offsets(t->rk, t->o.topic->name, partition, &tail->low, &tail->high,
                                            ANSWER_MS);
}

static enum status ends(struct published_tail *t, struct why *w) {
    enum status st = ST_OK;
    for (int p = 0; p < t->partitions && st == ST_OK; p++)
        st = ask(t, ask_ends, p, w);
    return st;
}

/* Puts the first offset that may be of this epoch, by its time, into low. */
static rd_kafka_resp_err_t ask_since(struct published_tail *t, int partition) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *want = rd_kafka_topic_partition_list_add(list, t->o.topic->name, partition);
    want->offset = t->o.since_ms - CLOCKS_DIFFER_MS;
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(t->rk, list, ANSWER_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) err = want->err;
    struct tail *tail = &t->tails[partition];
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) /* negative: none is so young */
        tail->low = want->offset >= 0 ? want->offset : tail->high;
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

static void look_at(struct published_tail *t, struct tail *tail, const rd_kafka_message_t *record) {
    struct log_mark mark = log_mark_of(record);
    if (!mark.known || mark.epoch != t->epoch) return;
    if (!tail->found || log_position_after(mark.position, tail->last)) tail->last = mark.position;
    tail->found = t->seen = true;
}

static bool take_record(struct published_tail *t, const rd_kafka_message_t *record) {
    struct tail *tail = &t->tails[record->partition];
    if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) look_at(t, tail, record);
    /* librdkafka recovers from other errors by itself. */
    int64_t next = record->err == RD_KAFKA_RESP_ERR_NO_ERROR         ? record->offset + 1
                   : record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ? record->offset
                                                                     : -1;
    if (next < tail->until || !tail->reading) return false;
    tail->reading = false;
    return true;
}

static enum status drain(struct published_tail *t, rd_kafka_queue_t *queue, int reading, struct why *w) {
    while (reading > 0) {
        enum status st = t->o.tick(t->o.arg, w);
        if (st != ST_OK) return st;
        rd_kafka_message_t *record = rd_kafka_consume_queue(queue, TICK_MS);
        for (; record != NULL && reading > 0; record = rd_kafka_consume_queue(queue, 0)) {
            reading -= take_record(t, record);
            rd_kafka_message_destroy(record);
        }
        if (record != NULL) rd_kafka_message_destroy(record);
    }
    return ST_OK;
}

/* Reads [from, until) of all partitions where that is not empty. */
static enum status read_ranges(struct published_tail *t, struct why *w) {
    rd_kafka_queue_t *queue = rd_kafka_queue_new(t->rk);
    int reading = 0;
    for (int p = 0; p < t->partitions; p++) {
        struct tail *tail = &t->tails[p];
        tail->reading = tail->from < tail->until;
        if (!tail->reading) continue;
        int started = rd_kafka_consume_start_queue(t->rkt, p, tail->from, queue);
        assert(started == 0);
        reading++;
    }
    enum status st = drain(t, queue, reading, w);
    for (int p = 0; p < t->partitions; p++)
        if (t->tails[p].from < t->tails[p].until) rd_kafka_consume_stop(t->rkt, p);
    rd_kafka_queue_destroy(queue);
    return st;
}

static void first_window(struct published_tail *t) {
    for (int p = 0; p < t->partitions; p++) {
        struct tail *tail = &t->tails[p];
        tail->until = tail->high;
        tail->from = tail->high - FIRST_WINDOW > tail->low ? tail->high - FIRST_WINDOW : tail->low;
        tail->found = false;
    }
}

/* The window before the last one, where nothing of this epoch was in that. ST_NOT_FOUND: nowhere is there
 * one. */
static enum status window_before(struct published_tail *t, int64_t size, struct why *w) {
    enum status found = ST_NOT_FOUND;
    for (int p = 0; p < t->partitions; p++) {
        struct tail *tail = &t->tails[p];
        if (!tail->found && tail->from > tail->low && size == FIRST_WINDOW * WINDOW_GROWTH) {
            enum status st = ask(t, ask_since, p, w);
            if (st != ST_OK) return st;
        }
        tail->until = tail->from;
        if (tail->found || tail->from <= tail->low) continue;
        tail->from = tail->from - size > tail->low ? tail->from - size : tail->low;
        found = ST_OK;
    }
    return found;
}

static enum status walk_back(struct published_tail *t, struct why *w) {
    enum status st = ST_OK;
    for (int64_t size = FIRST_WINDOW; st == ST_OK;) {
        size *= WINDOW_GROWTH;
        st = window_before(t, size, w);
        if (st == ST_OK) st = read_ranges(t, w);
    }
    return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Reads what came since the ends were last asked for. */
static enum status read_news(struct published_tail *t, struct why *w) {
    for (int p = 0; p < t->partitions; p++)
        t->tails[p].from = t->tails[p].high;
    enum status st = ends(t, w);
    for (int p = 0; p < t->partitions; p++)
        t->tails[p].until = t->tails[p].high;
    return st == ST_OK ? read_ranges(t, w) : st;
}

static enum status stand_still(struct published_tail *t, int64_t us, struct why *w) {
    int64_t until_us = clock_mono_us() + us;
    for (int left_ms; (left_ms = clock_ms_until(until_us)) > 0;) {
        enum status st = t->o.tick(t->o.arg, w);
        if (st != ST_OK) return st;
        rd_kafka_poll(t->rk, left_ms < TICK_MS ? left_ms : TICK_MS);
    }
    return ST_OK;
}

/* A broker that is slow to answer us is also slow with what a dead owner left. */
static int64_t quiet_us(const struct published_tail *t) {
    int64_t us = SLOWEST_ANSWERS * t->slowest_us;
    return us < PUBLISHED_TAIL_QUIET_MS * 1000 ? PUBLISHED_TAIL_QUIET_MS * 1000
           : us < LONGEST_QUIET_US             ? us
                                               : LONGEST_QUIET_US;
}

static enum status until_still(struct published_tail *t, struct why *w) {
    t->slowest_us = 0; /* until here it was connecting, too */
    for (int64_t stood_us = 0;;) {
        int64_t stand_us = quiet_us(t);
        if (!t->seen && stood_us >= stand_us) return ST_OK;
        enum status st = stand_still(t, stand_us, w);
        stood_us = stand_us;
        t->seen = false; /* what others write there is no reason to wait */
        t->slowest_us = 0;
        if (st == ST_OK) st = read_news(t, w);
        if (st != ST_OK) return st;
    }
}

static enum status read_tails(struct published_tail *t, struct why *w) {
    enum status st = ends(t, w);
    if (st == ST_OK) first_window(t);
    if (st == ST_OK) st = read_ranges(t, w);
    if (st == ST_OK) st = walk_back(t, w);
    if (st == ST_OK) st = until_still(t, w);
    return st;
}

enum status published_tail_read(struct published_tail **out, const struct published_tail_options *options,
                                struct why *w) {
    struct published_tail *t = *out = mem_alloc(sizeof *t);
    enum status st = connect_to(t, options, w);
    if (st == ST_OK) st = read_tails(t, w);
    disconnect(t);
    if (st == ST_OK) return ST_OK;
    published_tail_free(t);
    *out = NULL;
    return st;
}

void published_tail_free(struct published_tail *t) {
    if (t == NULL) return;
    free(t->tails);
    free(t);
}

bool published_tail_have(const struct published_tail *t, int partition, struct log_position position) {
    const struct tail *tail = &t->tails[partition];
    return tail->found && !log_position_after(position, tail->last);
}

bool published_tail_empty(const struct published_tail *t) {
    for (int p = 0; p < t->partitions; p++)
        if (t->tails[p].found) return false;
    return true;
}

uint64_t published_tail_end(const struct published_tail *t) {
    uint64_t end = 0;
    for (int p = 0; p < t->partitions; p++)
        if (t->tails[p].found && t->tails[p].last.lsn > end) end = t->tails[p].last.lsn;
    return end;
}
