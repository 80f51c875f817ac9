#include "exact.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "mem.h"

enum {
    LOOK_MS = 100, /* most time without a look around */
    SLICE = 1000,  /* records read back before something else has its turn */
};

static void forget(struct exact *x) {
    replay_close(x->replay);
    x->replay = NULL;
    if (x->member != NULL) rd_kafka_consumer_group_metadata_destroy(x->member);
    x->member = NULL;
    x->read = 0;
    x->due_at_us = INT64_MAX;
    x->work->forget(x);
}

static void start_again(struct exact *x, enum status st, const struct why *w) {
    forget(x);
    topic_thread_set_back(&x->thread, st, w);
}

/* --- committing --- */

static enum status write_all(struct exact *x, rd_kafka_topic_partition_list_t *positions, struct why *w) {
    enum status st = x->work->write(x, positions, w);
    if (x->settle) group_add_committed(x->thread.group, positions);
    if (st == ST_OK) return transactions_commit(x->output, positions, x->member, w);
    transactions_abort(x->output);
    return st;
}

static enum status commit(struct exact *x, struct why *w) {
    if (x->due_at_us == INT64_MAX) return ST_OK;
    rd_kafka_topic_partition_list_t *positions = rd_kafka_topic_partition_list_new(8);
    enum status st = transactions_begin(x->output, w);
    if (st == ST_OK) st = write_all(x, positions, w);
    rd_kafka_topic_partition_list_destroy(positions);
    x->work->ended(x, st);
    if (st != ST_OK) return st;
    metric_add(M_CONSUMED, x->read);
    x->read = 0;
    x->due_at_us = INT64_MAX;
    x->settle = false;
    return ST_OK;
}

static void commit_if_due(struct exact *x) {
    struct why w = {0};
    if (clock_mono_us() < x->due_at_us) return;
    enum status st = commit(x, &w);
    if (st != ST_OK)
        start_again(x, st, &w);
    else
        topic_thread_went_well(&x->thread);
}

void exact_on_revoke(void *owner) {
    struct exact *x = owner;
    struct why w = {0};
    if (commit(x, &w) != ST_OK)
        log_warn(x->thread.options.name, "%s: whoever has the partitions next does it again", w.text);
    forget(x);
}

void exact_due_within(struct exact *x, int64_t ms) {
    int64_t due_us = clock_mono_us() + INT64_C(1000) * ms;
    if (due_us < x->due_at_us) x->due_at_us = due_us;
}

/* --- when partitions come --- */

static enum status begin_to_read_back(struct exact *x, struct why *w) {
    int count;
    group_partitions(x->thread.group, &count);
    int64_t *ends = mem_alloc((size_t)(count + 1) * sizeof *ends);
    struct replay_part *parts = mem_alloc((size_t)(count + 1) * sizeof *parts);
    enum status st = group_committed(x->thread.group, w);
    if (st == ST_OK) st = group_ends(x->thread.group, ends, w);
    int n = st == ST_OK ? x->work->list(x, ends, parts) : 0;
    if (st == ST_OK && (x->replay = replay_open(x->thread.options.brokers, parts, n, w)) == NULL)
        st = ST_FAILED;
    free(ends);
    free(parts);
    return st;
}

static enum status read_back(struct exact *x, struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < SLICE && st == ST_OK; i++) {
        rd_kafka_message_t *m = replay_next(x->replay, i == 0 ? LOOK_MS : 0);
        if (m == NULL) break;
        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            st = why(w, ST_LOST, "cannot read %s: %s", x->work->written, rd_kafka_message_errstr(m));
        else
            st = x->work->restore(x, m, w);
        rd_kafka_message_destroy(m);
    }
    return st;
}

static enum status begin_to_read(struct exact *x, struct why *w) {
    int count;
    struct group_partition *g = group_partitions(x->thread.group, &count);
    x->member = group_membership(x->thread.group);
    if (x->member == NULL) return why(w, ST_AGAIN, "the place in the consumer group is being lost");
    enum status st = x->work->place(x, w);
    if (st != ST_OK) return st;
    for (int i = 0; i < count; i++)
        g[i].gone = false;
    replay_close(x->replay);
    x->replay = NULL;
    x->settle = group_hangs(x->thread.group);
    if (x->settle) exact_due_within(x, 0);
    group_fetch(x->thread.group);
    return ST_OK;
}

/* To be called until it fetches, while the partitions are ours and nothing is known of them. */
static enum status rebuild(struct exact *x, struct why *w) {
    if (x->replay == NULL) {
        x->rebuilding = true;
        x->placed_at_us = clock_mono_us();
        enum status st = begin_to_read_back(x, w);
        if (st != ST_OK) return st;
    }
    enum status st = read_back(x, w);
    return st == ST_OK && x->work->whole(x) ? begin_to_read(x, w) : st;
}

/* After a record that could not be judged: where it is. */
static bool go_on(struct exact *x) {
    int count;
    struct group_partition *g = group_partitions(x->thread.group, &count);
    if (x->member == NULL) return false;
    for (int i = 0; i < count; i++)
        if (g[i].gone) return false;
    for (int i = 0; i < count; i++)
        g[i].next = g[i].reached;
    group_fetch(x->thread.group);
    return true;
}

static void try_to_fetch(struct exact *x) {
    struct why w = {0};
    if (!topic_thread_may_try(&x->thread) || go_on(x)) return;
    if (x->replay == NULL) forget(x);
    enum status st = rebuild(x, &w);
    if (st != ST_OK) start_again(x, st, &w);
}

/* Says how far it is, and when all is there. */
static void look_at_rebuilding(struct exact *x) {
    int count;
    int64_t left = x->work->left(x);
    if (x->replay != NULL || left > 0 || group_state(x->thread.group) != GROUP_FETCHING) {
        char text[80];
        snprintf(text, sizeof text, "reading %s, %lld records to go",
                 x->replay != NULL ? x->work->written : x->work->topics, (long long)left);
        topic_thread_say_not_ready(&x->thread, text);
        return;
    }
    group_partitions(x->thread.group, &count);
    log_info(x->thread.options.name, "what follows from %d partitions is whole, after %lld ms", count,
             (long long)(clock_mono_us() - x->placed_at_us) / 1000);
    x->rebuilding = false;
    topic_thread_say_ready(&x->thread);
}

/* --- the loop --- */

int exact_wait_ms(const struct exact *x) {
    if (x->replay != NULL) return 0;
    int due_ms = clock_ms_until(x->due_at_us);
    return due_ms < LOOK_MS ? due_ms : LOOK_MS;
}

void exact_turn(struct exact *x) {
    if (group_state(x->thread.group) == GROUP_HELD) try_to_fetch(x);
    commit_if_due(x);
    if (x->rebuilding) look_at_rebuilding(x);
    transactions_poll(x->output);
}

enum status exact_open(struct exact *x, const struct exact_work *work, struct why *w) {
    const struct topic_thread_options *options = &x->thread.options;
    x->work = work;
    x->due_at_us = INT64_MAX;
    x->output = transactions_open(options->brokers, options->name, options->instance, w);
    return x->output == NULL ? ST_INVALID : ST_OK;
}

void exact_close(struct exact *x) {
    forget(x);
    transactions_free(x->output);
}
