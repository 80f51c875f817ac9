#include "session_ends.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "events.h"
#include "log.h"
#include "mem.h"
#include "topic_thread.h"
#include "wire.h"

enum {
    TURN_MS = 1000,
    OUT_MS = 50, /* between looks, while nothing is fetched */
    SLICE = 1000,
    LEAVE_MS = 500,
    SLACK_S = 60, /* a token may be signed so much later than its user was read; and clocks differ */
};
static const int64_t unreadable_ms =
    15 * 60 * 1000; /* the patience of wire.h: what is passed over ends nothing */

static const char *const topics[] = {"users", NULL};

struct session_ends {
    struct topic_thread thread;
    struct session_ends_options options;
    char group[96];
    struct wire_decoder *users;
    int64_t *reached; /* of each partition, where it goes on after a hold; -1: not begun */
    int partitions;

    struct session_end batch[2 * SLICE];
    int count;
};

static int64_t *reached_in(struct session_ends *ends, int32_t partition) {
    if (partition >= ends->partitions) {
        ends->reached = mem_grow(ends->reached, (size_t)(partition + 1) * sizeof *ends->reached);
        while (ends->partitions <= partition)
            ends->reached[ends->partitions++] = -1;
    }
    return &ends->reached[partition];
}

static enum status place(void *arg, struct why *w) {
    struct session_ends *ends = arg;
    int count;
    struct group_partition *p = group_partitions(ends->thread.group, &count);
    int64_t *from = mem_alloc((size_t)(count + 1) * sizeof *from);
    int64_t since_ms = clock_wall_us() / 1000 - ends->options.session_ms - SLACK_S * 1000;
    enum status st = group_offsets_for_time(ends->thread.group, since_ms, from, w);
    for (int i = 0; st == ST_OK && i < count; i++) {
        int64_t reached = *reached_in(ends, p[i].partition);
        p[i].next = reached < 0 || p[i].gone ? from[i] : reached;
        p[i].gone = false;
    }
    free(from);
    if (st == ST_OK) group_fetch(ends->thread.group);
    return st;
}

static void add(struct session_ends *ends, struct uuid id, int32_t version, int64_t until_s) {
    ends->batch[ends->count++] = (struct session_end){id, version, until_s};
}

/* An account that is gone: so are all its sessions, whatever is left of the events before. */
static void take_tombstone(struct session_ends *ends, const rd_kafka_message_t *m) {
    struct uuid user;
    int64_t at_ms = rd_kafka_message_timestamp(m, NULL);
    if (uuid_parse((struct str){m->key, m->key_len}, &user))
        add(ends, user, SESSION_ENDED, at_ms / 1000 + ends->options.session_ms / 1000 + SLACK_S);
}

/* A session's own end; all of a user's, if that ever was. Before the first time the version is 1. */
static enum status take(void *arg, struct group_partition *p, const rd_kafka_message_t *m, struct why *w) {
    struct session_ends *ends = arg;
    struct user_event e;
    enum status st = m->len == 0 ? ST_INVALID : wire_decode(ends->users, m->payload, m->len, &e, w);
    if (st != ST_OK && st != ST_INVALID) return st;
    if (m->len == 0)
        take_tombstone(ends, m);
    else if (st == ST_INVALID)
        log_error("session", "users/%d@%lld is passed over: %s", m->partition, (long long)m->offset, w->text);
    if (st == ST_OK) {
        int64_t until_s = e.occurred_at / 1000000 + ends->options.session_ms / 1000 + SLACK_S;
        if (e.session_version > 1) add(ends, e.id, e.session_version, until_s);
        if (e.has_session_id) add(ends, e.session_id, SESSION_ENDED, until_s);
    }
    p->reached = *reached_in(ends, m->partition) = m->offset + 1;
    return ST_OK;
}

static void step(void *arg) {
    struct session_ends *ends = arg;
    struct topic_thread *thread = &ends->thread;
    if (group_state(thread->group) == GROUP_HELD) topic_thread_place(thread, place);
    int wait_ms = group_state(thread->group) == GROUP_FETCHING ? TURN_MS : OUT_MS;
    topic_thread_read(thread, wait_ms, SLICE, take);
    if (ends->count > 0 && !topic_thread_stopping(thread))
        http_end_sessions(ends->options.http, ends->batch, ends->count);
    ends->count = 0;
    topic_thread_tick(thread);
}

static void close_ends(void *arg) {
    struct session_ends *ends = arg;
    wire_decoder_free(ends->users);
    topic_thread_free(&ends->thread);
    free(ends->reached);
    free(ends);
}

static const struct topic_thread_work work = {.step = step, .close = close_ends};

struct session_ends *session_ends_start(const struct session_ends_options *options, struct why *w) {
    struct session_ends *ends = mem_alloc(sizeof *ends);
    struct uuid id = uuid_v7();
    char text[UUID_TEXT];
    uuid_format(&id, text);
    snprintf(ends->group, sizeof ends->group, "%s-sessions-%.*s", options->service, UUID_TEXT, text);
    const struct topic_thread_options thread = {.name = "session ends",
                                                .group = ends->group,
                                                .brokers = options->brokers,
                                                .topics = topics,
                                                .leave_ms = LEAVE_MS,
                                                .registry_url = options->registry_url};
    if (topic_thread_init(&ends->thread, &thread, &work, ends, w) != ST_OK) {
        free(ends);
        return NULL;
    }
    ends->options = *options;
    ends->users = wire_decoder_new(ends->thread.registry, topic_users.type, unreadable_ms);
    topic_thread_start(&ends->thread);
    return ends;
}

void session_ends_stop(struct session_ends *ends, int timeout_ms) {
    if (ends != NULL) topic_thread_stop(&ends->thread, timeout_ms);
}
