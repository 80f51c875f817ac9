#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "mem.h"
#include "priv/group_priv.h"
#include "priv/kafka_compat.h"

static const uint64_t one = 1;

enum {
    FETCH_ON_MS = 10,
    ALONE_FIRST_MS = 1000, /* each try also makes the other partitions fetch again */
    ALONE_MOST_MS = 10000,
    ALONE_TOGETHER_MS = 250, /* those whose pauses end so soon are tried together */
};

static bool is_static(const struct group_options *options) {
    return options->instance != NULL && options->instance[0] != '\0';
}

/* Between two looks of librdkafka at a queue that was full. */
static int fetch_on_ms(const struct group_options *options) {
    return options->gather_ms > 0 ? options->gather_ms : FETCH_ON_MS;
}

static rd_kafka_conf_t *new_conf(const struct group_options *options, struct why *w) {
    char pause[16];
    snprintf(pause, sizeof pause, "%d", fetch_on_ms(options));
    /* Fixed is what the positions rest on: Kafka's own never decide, and an assignment is whole (eager). */
    const struct kafka_property properties[] = {
        {"group.id", options->id, KAFKA_FIXED},
        {"enable.auto.commit", "false", KAFKA_FIXED},
        {"enable.auto.offset.store", "false", KAFKA_FIXED},
        {"auto.offset.reset", "error", KAFKA_FIXED}, /* a position that is gone is for us to notice */
        {"partition.assignment.strategy", "range", KAFKA_FIXED},
        {"enable.partition.eof", "false", KAFKA_FIXED},
        {"isolation.level", "read_committed",
         KAFKA_FIXED}, /* also: committed positions are awaited until they are certain */
        /* A dead instance's partitions move on after 10 s (the default is 45), and a rebalance is heard of
           within 1 s. */
        {"session.timeout.ms", "10000", KAFKA_DEFAULT},
        {"heartbeat.interval.ms", "1000", KAFKA_DEFAULT},
        /* The default is 5 minutes, which is how late a new topic or partition would be noticed. */
        {"topic.metadata.refresh.interval.ms", "30000", KAFKA_DEFAULT},
        {"fetch.error.backoff.ms", "100", KAFKA_DEFAULT},
        /* An answer comes with the first record, and without one after this time, which is the default: a
           partition that is placed meanwhile is fetched behind it. */
        {"fetch.min.bytes", "1", KAFKA_DEFAULT},
        {"fetch.wait.max.ms", "500", KAFKA_DEFAULT},
        /* What is fetched ahead: some batches' worth; the default of 64 MiB only costs memory. A group that
         * gathers fetches nothing ahead: with one record its queue is full, so it asks again after the pause
         * for a full queue, and gets at once what has come meanwhile. Without news it only waits. */
        {"queued.max.messages.kbytes", "8192", KAFKA_DEFAULT},
        {"queued.min.messages", options->gather_ms > 0 ? "1" : "10000", KAFKA_DEFAULT},
#if KAFKA_HAS_QUEUE_BACKOFF
        {"fetch.queue.backoff.ms", pause, KAFKA_DEFAULT},
#endif
        {is_static(options) ? "group.instance.id" : NULL, options->instance, KAFKA_FIXED},
        {0},
    };
    return kafka_conf(options->brokers, properties, w);
}

static void drop(struct group *g) {
    free(g->partitions);
    g->partitions = NULL;
    g->count = g->last = 0;
}

static int find_topic(const struct group *g, const char *name) {
    for (int i = 0; g->options.topics[i] != NULL; i++)
        if (strcmp(g->options.topics[i], name) == 0) return i;
    return -1;
}

static void take(struct group *g, const rd_kafka_topic_partition_list_t *list) {
    drop(g);
    g->partitions = mem_alloc((size_t)(list->cnt + 1) * sizeof *g->partitions);
    for (int i = 0; i < list->cnt; i++) {
        int topic = find_topic(g, list->elems[i].topic);
        if (topic < 0) continue; /* not ours: an instance of another version shares the group */
        g->partitions[g->count++] =
            (struct group_partition){.topic = topic,
                                     .partition = list->elems[i].partition,
                                     .alone = {.first_ms = ALONE_FIRST_MS, .most_ms = ALONE_MOST_MS}};
    }
}

/* Tells librdkafka what to fetch. An empty list holds: the group's assignment stays ours. */
static void assign(struct group *g, bool fetch) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(g->count);
    for (int i = 0; fetch && i < g->count; i++) {
        struct group_partition *p = &g->partitions[i];
        if (p->left_out) continue;
        rd_kafka_topic_partition_list_add(list, group_topic_name(g, p), p->partition)->offset = p->next;
    }
    rd_kafka_resp_err_t err = rd_kafka_assign(g->rk, list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_error("consumer", "cannot set what to fetch: %s", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(list);
}

/* Called by librdkafka from within consumer_poll. Yielding ends that call, so the owner sees the state change
 * before another record. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list,
                         void *opaque) {
    struct group *g = opaque;
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        take(g, list);
        assign(g, false);
        g->state = GROUP_HELD;
    } else {
        log_info("consumer", "gave up %d partitions%s", g->count,
                 rd_kafka_assignment_lost(rk) ? ", which were taken away" : "");
        if (g->options.on_revoke != NULL) g->options.on_revoke(g->options.arg);
        drop(g);
        g->state = GROUP_OUT;
        rd_kafka_assign(rk, NULL);
    }
    rd_kafka_yield(rk);
}

/* Without this callback librdkafka logs a warning for each commit that failed. Nothing depends on them. */
static void on_committed(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list,
                         void *opaque) {
    (void)rk, (void)list, (void)opaque;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR__NO_OFFSET)
        log_debug("consumer", "telling Kafka the positions: %s", rd_kafka_err2str(err));
}

static rd_kafka_t *new_client(struct group *g, struct why *w) {
    rd_kafka_conf_t *conf = new_conf(&g->options, w);
    if (conf == NULL) return NULL;
    rd_kafka_conf_set_opaque(conf, g);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_committed);
    return kafka_client(RD_KAFKA_CONSUMER, conf, w);
}

static enum status subscribe(struct group *g, struct why *w) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int i = 0; g->options.topics[i] != NULL; i++)
        rd_kafka_topic_partition_list_add(list, g->options.topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(g->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return why(w, ST_FAILED, "cannot subscribe to the topics: %s", rd_kafka_err2str(err));
}

enum status group_check(const struct group_options *options, struct why *w) {
    rd_kafka_conf_t *conf = new_conf(options, w);
    if (conf == NULL) return ST_INVALID;
    rd_kafka_conf_destroy(conf);
    return ST_OK;
}

struct group *group_join(const struct group_options *options, struct why *w) {
    struct group *g = mem_alloc(sizeof *g);
    g->options = *options;
    g->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(g->fd >= 0);
    g->rk = new_client(g, w);
    if (g->rk == NULL) {
        close(g->fd);
        free(g);
        return NULL;
    }
    rd_kafka_poll_set_consumer(g->rk); /* one queue for records, errors and callbacks */
    g->queue = rd_kafka_queue_get_consumer(g->rk);
    rd_kafka_queue_io_event_enable(g->queue, g->fd, &one, sizeof one);
    if (subscribe(g, w) != ST_OK) {
        group_leave(g, 0);
        return NULL;
    }
    return g;
}

static struct group_partition *find(struct group *g, const rd_kafka_message_t *m) {
    if (m->rkt == NULL) return NULL;
    const char *topic = rd_kafka_topic_name(m->rkt);
    for (int i = 0, at = g->last; i < g->count; i++, at = at + 1 == g->count ? 0 : at + 1) {
        struct group_partition *p = &g->partitions[at];
        if (p->partition != m->partition || strcmp(group_topic_name(g, p), topic) != 0) continue;
        g->last = at;
        return p;
    }
    return NULL;
}

static void lose(struct group *g, struct group_partition *p) {
    p->gone = true;
    group_hold(g);
}

static void take_error(struct group *g, const rd_kafka_message_t *m) {
    struct group_partition *p = find(g, m);
    struct why now;
    why(&now, ST_FAILED, "%s", rd_kafka_message_errstr(m));
    bool news = log_news(&g->trouble, &now);
    if (m->err == RD_KAFKA_RESP_ERR__FATAL) kafka_fatal(g->rk);
    if (m->err != RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || p == NULL || g->state != GROUP_FETCHING) {
        if (news) log_warn("consumer", "%s", now.text);
    } else if (m->offset == p->reached || m->offset != p->gone_offset) { /* else said once more, late */
        p->gone_offset = m->offset;
        lose(g, p);
    }
}

/* librdkafka stops fetching while its queue is full, and looks again only once a second where that cannot be
 * set, or when its broker's thread is woken. This wakes it by a request whose answer is not waited for.
 * So the queue can be small, and a backlog is still read without pauses. To be called when no record is
 * there; returns when to call again. */
static int64_t fetch_on(struct group *g) {
    int64_t now_us = clock_mono_us();
    if (KAFKA_HAS_QUEUE_BACKOFF || g->state != GROUP_FETCHING || !g->read) return INT64_MAX;
    if (now_us < g->fetch_on_at_us) return g->fetch_on_at_us;
    g->read = false;
    g->fetch_on_at_us = now_us + fetch_on_ms(&g->options) * INT64_C(1000);
    if (g->options.gather_ms == 0 && group_lag(g) == 0) return INT64_MAX; /* the queue was not full */
    rd_kafka_topic_partition_list_t *list = group_list(g, g->partitions, g->count, RD_KAFKA_OFFSET_END);
    rd_kafka_offsets_for_times(g->rk, list, 0);
    rd_kafka_topic_partition_list_destroy(list);
    return INT64_MAX;
}

static void await(const struct group *g, int64_t until_us) {
    uint64_t count;
    if (!clock_wait(g->fd, until_us)) return;
    while (read(g->fd, &count, sizeof count) > 0)
        continue;
}

/* librdkafka's own wait is by the wall clock: if that is set back by an hour, it takes an hour longer.
 */
static rd_kafka_message_t *next_message(struct group *g, int timeout_ms) {
    int64_t until_us = clock_mono_us() + timeout_ms * INT64_C(1000);
    enum group_state before = g->state;
    for (;;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(g->rk, 0);
        int64_t again_us = m == NULL ? fetch_on(g) : 0;
        if (m != NULL || timeout_ms == 0 || g->state != before) return m;
        if (atomic_exchange(&g->woken, false) || clock_ms_until(until_us) == 0) return NULL;
        await(g, until_us < again_us ? until_us : again_us);
    }
}

rd_kafka_message_t *group_poll(struct group *g, int timeout_ms, struct group_partition **from) {
    rd_kafka_message_t *m = next_message(g, timeout_ms);
    if (m == NULL) return NULL;
    g->read = true; /* whatever it was, it has filled the queue */
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        take_error(g, m);
    } else if ((*from = find(g, m)) != NULL && g->state == GROUP_FETCHING) {
        g->trouble.text[0] = '\0'; /* it is over: the next time it is news again */
        if (m->offset >= (*from)->reached) return m;
        lose(g, *from); /* going backwards: another topic under the same name */
    }
    rd_kafka_message_destroy(m);
    return NULL;
}

enum status group_read(struct group *g, int wait_ms, int most, group_take *each, void *arg, int *records,
                       struct group_partition **at, struct why *w) {
    enum status st = ST_OK;
    for (*records = 0; st == ST_OK && *records < most; ++*records) {
        struct group_partition *p;
        rd_kafka_message_t *m = group_poll(g, *records == 0 ? wait_ms : 0, &p);
        if (m == NULL) break;
        st = each(arg, p, m, w);
        if (st == ST_OK) backoff_reset(&p->alone);
        *at = p;
        rd_kafka_message_destroy(m);
    }
    return st;
}

void group_wake(struct group *g) {
    atomic_store(&g->woken, true);
    ssize_t ignored = write(g->fd, &one, sizeof one);
    (void)ignored; /* it fails only when the fd is readable as it can be */
}

enum group_state group_state(const struct group *g) {
    return g->state;
}

bool group_connected(struct group *g) {
    char *cluster = rd_kafka_clusterid(g->rk, 0); /* known from the first answer on */
    bool met = cluster != NULL;
    rd_kafka_mem_free(g->rk, cluster);
    return met;
}

const char *group_last_error(const struct group *g) {
    return g->trouble.text;
}

struct group_partition *group_partitions(struct group *g, int *count) {
    *count = g->count;
    return g->partitions;
}

/* An id that is still there afterwards was there before, too: no other is given to us before we have given up
 * what is assigned. */
rd_kafka_consumer_group_metadata_t *group_membership(struct group *g) {
    rd_kafka_consumer_group_metadata_t *membership = rd_kafka_consumer_group_metadata(g->rk);
    char *id = rd_kafka_memberid(g->rk);
    bool member = id != NULL && id[0] != '\0';
    rd_kafka_mem_free(g->rk, id);
    if (member || membership == NULL) return membership;
    rd_kafka_consumer_group_metadata_destroy(membership);
    return NULL;
}

void group_fetch(struct group *g) {
    for (int i = 0; i < g->count; i++) {
        struct group_partition *p = &g->partitions[i];
        p->reached = p->next;
        p->left_out = p->alone.failures > 0 && clock_ms_until(p->alone.until_us) > ALONE_TOGETHER_MS;
    }
    assign(g, true);
    g->state = GROUP_FETCHING;
    g->read = true; /* records of before may lie in the queue, and are dropped unseen */
    g->trouble.text[0] = '\0';
}

void group_hold(struct group *g) {
    if (g->state != GROUP_FETCHING) return;
    assign(g, false);
    g->state = GROUP_HELD;
}

int group_hold_one(struct group *g, struct group_partition *p) {
    group_hold(g);
    return backoff_fail(&p->alone);
}

bool group_one_due(const struct group *g) {
    for (int i = 0; i < g->count; i++)
        if (g->partitions[i].left_out && backoff_over(&g->partitions[i].alone)) return true;
    return false;
}

int group_waiting(const struct group *g) {
    int n = 0;
    for (int i = 0; i < g->count; i++)
        n += g->partitions[i].alone.failures > 0;
    return n;
}

/* A static member that is closed stays a member until its session ends, because it might come back. If it
 * unsubscribes first, it leaves. It has left when its id is gone. */
static void give_up_topics(struct group *g, int64_t until_us) {
    rd_kafka_unsubscribe(g->rk);
    for (bool member = true; member && clock_mono_us() < until_us;) {
        rd_kafka_message_t *m = next_message(g, 10);
        if (m != NULL) rd_kafka_message_destroy(m);
        char *id = rd_kafka_memberid(g->rk);
        member = id != NULL && id[0] != '\0';
        rd_kafka_mem_free(g->rk, id);
    }
}

/* rd_kafka_consumer_close, but bounded. Records that were fetched come out of the queue as well. */
static void close_group(struct group *g, int timeout_ms) {
    int64_t until_us = clock_mono_us() + timeout_ms * INT64_C(1000);
    if (is_static(&g->options)) give_up_topics(g, until_us);
    rd_kafka_queue_t *events = rd_kafka_queue_new(g->rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(g->rk, events);
    for (int left_ms; error == NULL && !rd_kafka_consumer_closed(g->rk);) {
        if ((left_ms = clock_ms_until(until_us)) == 0) break;
        rd_kafka_message_t *m = rd_kafka_consume_queue(events, left_ms);
        if (m != NULL) rd_kafka_message_destroy(m);
    }
    rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(events);
}

void group_leave(struct group *g, int timeout_ms) {
    close_group(g, timeout_ms);
    rd_kafka_queue_io_event_enable(g->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(g->queue);
    bool closed = rd_kafka_consumer_closed(g->rk);
    if (!closed) log_warn("consumer", "left the group without its answer: the session's end will tell it");
    rd_kafka_destroy_flags(g->rk, closed ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    close(g->fd);
    drop(g);
    free(g);
}
