#include "consumer.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "group_metrics.h"
#include "log.h"
#include "mem.h"
#include "priv/commit.h"
#include "priv/consumer_metrics.h"
#include "priv/sources.h"
#include "topic_thread.h"
#include "trace.h"

enum {
    MEET_MS = 10,    /* between looks at whether Kafka has answered, at the start */
    LEAVE_MS = 3000, /* to leave the group; what consumer_stop grants may be less */
};

struct consumer {
    struct topic_thread thread; /* once ready, it stays so */
    struct consumer_options options;
    struct sources sources;

    PGconn *conn; /* NULL: to be opened */
    struct batch batch;
    struct sql_params positions;

    int most_records; /* of a batch; shrinks to find the record that a statement refuses */
    bool fenced;      /* the last batch was: once is normal, again waits */

    struct group_partition *unreadable; /* whose record ended the batch; valid while the group fetches */
};

/* --- from records to a batch --- */

/* Any program may have written it, and it goes into a text column. One that is not valid counts as none. */
static struct str traceparent_of(const rd_kafka_message_t *m) {
    rd_kafka_headers_t *headers;
    const void *value;
    size_t n;
    struct str none = {0};
    if (rd_kafka_message_headers(m, &headers) != 0) return none;
    if (rd_kafka_header_get_last(headers, "traceparent", &value, &n) != 0) return none;
    struct str given = {value, n};
    return n == TRACE_TEXT && trace_valid(given) ? given : none;
}

static void put_aside(struct consumer *c, const struct source *source, const rd_kafka_message_t *m,
                      const char *reason) {
    log_warn("consumer", "%s/%d@%lld goes to dead_letters: %s", source->topic->name, m->partition,
             (long long)m->offset, reason);
    const struct batch_dead_letter letter = {
        .topic = source->topic->name,
        .partition = m->partition,
        .offset = m->offset,
        .key = {m->key, m->key_len},
        .value = {m->payload, m->len},
        .null_key = m->key == NULL,
        .null_value = m->payload == NULL,
    };
    batch_dead_letter(&c->batch, &letter, reason);
}

/* ST_OK, or why the record cannot be judged now. */
static enum status take(struct consumer *c, struct group_partition *p, const rd_kafka_message_t *m,
                        struct why *w) {
    struct source *source = &c->sources.all[p->topic];
    enum status st = wire_decode(source->decoder, m->payload, m->len, source->event, w);
    if (st != ST_OK && st != ST_INVALID) return st;

    const struct reaction *r = st == ST_OK ? sources_reaction(&c->sources, source) : NULL;
    if (st == ST_INVALID)
        put_aside(c, source, m, w->text);
    else if (r != NULL)
        batch_effect(&c->batch, r, (struct str){m->key, m->key_len}, source->event, traceparent_of(m));
    batch_record(&c->batch, rd_kafka_message_timestamp(m, NULL), m->len + m->key_len);
    p->reached = m->offset + 1;
    return ST_OK;
}

/* Fills the batch with what is at hand; waits only for the first record. */
static enum status gather(struct consumer *c, int wait_ms, struct why *w) {
    enum status st = ST_OK;
    while (st == ST_OK && !batch_full(&c->batch, c->most_records)) {
        struct group_partition *p;
        rd_kafka_message_t *m = group_poll(c->thread.group, c->batch.records == 0 ? wait_ms : 0, &p);
        if (m == NULL) break;
        st = take(c, p, m, w);
        rd_kafka_message_destroy(m);
        if (st != ST_OK) c->unreadable = p;
    }
    return st;
}

/* --- from a batch to a transaction --- */

static void put_positions(struct consumer *c) {
    int count;
    struct group_partition *p = group_partitions(c->thread.group, &count);
    sql_params_reset(&c->positions);
    for (int i = 0; i < count; i++)
        if (p[i].reached != p[i].next)
            commit_put_position(&c->positions, c->sources.names[p[i].topic], p[i].partition, p[i].next,
                                p[i].reached);
}

static void committed(struct consumer *c) {
    int count;
    struct group_partition *p = group_partitions(c->thread.group, &count);
    for (int i = 0; i < count; i++) {
        if (p[i].reached != p[i].next) backoff_reset(&p[i].alone);
        p[i].next = p[i].reached;
    }

    int64_t now_us = clock_wall_us();
    for (int i = 0; i < c->batch.records; i++) {
        int64_t delay_us = now_us - c->batch.timestamps_ms[i] * 1000;
        metric_observe_us(M_REACT_TIME, delay_us > 0 ? delay_us : 0);
    }
    metric_add(M_CONSUMED, c->batch.records);
    metric_add(M_CONSUMER_BATCHES, 1);
    metric_add(M_DEAD_LETTERS, c->batch.dead_letters.items);
}

static enum status commit(struct consumer *c, struct why *w) {
    put_positions(c);
    enum status st = commit_batch_tried(c->conn, &c->positions, &c->batch, w);
    if (st == ST_OK) committed(c);
    return st;
}

/* --- setbacks: whatever happened, positions are read again before anything else is done --- */

/* What was at hand when it happened, for the log. */
static void describe_batch(struct consumer *c, char *text, size_t size) {
    int count;
    struct group_partition *p = group_partitions(c->thread.group, &count);
    text[0] = '\0';
    if (group_state(c->thread.group) != GROUP_FETCHING) return;
    for (int i = 0; i < count; i++)
        if (p[i].reached != p[i].next) {
            snprintf(text, size, " (%d records, from %s/%d@%lld on)", c->batch.records,
                     c->sources.names[p[i].topic], p[i].partition, (long long)p[i].next);
            return;
        }
}

static void hold_one(struct consumer *c, struct group_partition *p, enum status st, const struct why *w) {
    metric_add(M_CONSUMER_RETRIES, 1);
    topic_thread_hold_one(&c->thread, p, st, w);
}

/* The partition that the batch was of, if it was one record; back at its position. */
static struct group_partition *only_one(struct consumer *c) {
    int count;
    struct group_partition *p = group_partitions(c->thread.group, &count);
    for (int i = 0; c->batch.records == 1 && i < count; i++)
        if (p[i].reached != p[i].next) {
            p[i].reached = p[i].next;
            return &p[i];
        }
    return NULL;
}

/* A statement refuses the data of a record. Batches get smaller until it is found: all records before it take
 * effect. If a partition waits for that already, it is probably the one: then each record goes by itself. */
static void refused(struct consumer *c, const struct why *w) {
    struct group_partition *one = only_one(c);
    if (one != NULL) {
        hold_one(c, one, ST_INVALID, w);
        c->most_records = c->options.batch_records;
        return;
    }
    int most = c->batch.records < c->most_records ? c->batch.records : c->most_records;
    c->most_records = group_waiting(c->thread.group) > 0 || most == 1 ? 1 : most / 2;
    metric_add(M_CONSUMER_RETRIES, 1);
    group_hold(c->thread.group);
}

/* A partition that waits is fetched again, and has not come through yet. */
static bool is_tried(const struct group_partition *p) {
    return p->alone.failures > 0 && !p->left_out;
}

static void set_back(struct consumer *c, enum status st, const struct why *w) {
    char records[128];
    describe_batch(c, records, sizeof records);
    struct why all;
    why(&all, st, "%s%s", w->text, records);
    topic_thread_set_back(&c->thread, st, &all);
    metric_add(M_CONSUMER_RETRIES, 1);
    if (st == ST_LOST || st == ST_FAILED) {
        PQfinish(c->conn);
        c->conn = NULL;
    }
}

/* The positions are not where this consumer left them: another instance has moved them, or the answer to our
 * last commit was lost. Nothing was changed; read the positions again. */
static void fenced(struct consumer *c, const struct why *w) {
    metric_add(M_CONSUMER_FENCED, 1);
    if (c->fenced) {
        set_back(c, ST_FENCED, w);
        return;
    }
    log_info("consumer", "another instance has moved on; dropped %d records, reading the positions again",
             c->batch.records);
    c->fenced = true;
    group_hold(c->thread.group);
}

static void gone_well(struct consumer *c) {
    int count, tried = 0;
    struct group_partition *p = group_partitions(c->thread.group, &count);
    for (int i = 0; i < count; i++)
        tried += is_tried(&p[i]);
    topic_thread_went_well(&c->thread);
    c->fenced = false;
    if (tried == 0 && c->most_records < c->options.batch_records) c->most_records *= 2;
}

/* --- placing: from positions to fetching --- */

static enum status read_positions(struct consumer *c, struct why *w) {
    int count;
    struct group_partition *p = group_partitions(c->thread.group, &count);
    struct commit_place *places = mem_alloc((size_t)(count + 1) * sizeof *places);
    for (int i = 0; i < count; i++)
        places[i] = (struct commit_place){.topic = c->sources.names[p[i].topic], .partition = p[i].partition};
    enum status st = commit_places(c->conn, places, count, w);
    for (int i = 0; st == ST_OK && i < count; i++) {
        /* What Kafka does not have any more is that very position. */
        if (p[i].next != places[i].next) {
            p[i].gone = false;
            backoff_reset(&p[i].alone);
        }
        p[i].next = places[i].next;
    }
    free(places);
    return st;
}

/* The topic was made anew, or records were deleted before they were read. Reading all there is again changes
 * nothing that was done already. */
static enum status start_over(struct consumer *c, struct group_partition *p, struct why *w) {
    int64_t earliest;
    enum status st = group_earliest(c->thread.group, p, &earliest, w);
    if (st != ST_OK) return st;
    sql_params_reset(&c->positions);
    commit_put_position(&c->positions, c->sources.names[p->topic], p->partition, p->next, earliest);
    st = commit_batch(c->conn, &c->positions, NULL, w);
    if (st != ST_OK) return st;
    log_warn("consumer", "%s/%d has no record %lld (any more): starting over from its first, %lld",
             c->sources.names[p->topic], p->partition, (long long)p->next, (long long)earliest);
    metric_add(M_OFFSET_RESETS, 1);
    p->next = earliest;
    p->gone = false;
    backoff_reset(&p->alone);
    return ST_OK;
}

static enum status connect_to(struct consumer *c, struct why *w) {
    if (c->conn == NULL) c->conn = commit_open(c->options.database_url, c->options.service, &c->batch, w);
    return c->conn == NULL ? ST_LOST : ST_OK;
}

static enum status place(struct consumer *c, struct why *w) {
    enum status st = connect_to(c, w);
    if (st == ST_OK) st = read_positions(c, w);
    int count;
    struct group_partition *p = group_partitions(c->thread.group, &count);
    for (int i = 0; st == ST_OK && i < count; i++)
        if (p[i].gone) st = start_over(c, &p[i], w);
    if (st != ST_OK) return st;
    group_fetch(c->thread.group);
    metric_set(M_CONSUMER_PARTITIONS, count);
    if (group_waiting(c->thread.group) == 0) log_info("consumer", "reading %d partitions", count);
    topic_thread_say_ready(&c->thread);
    return ST_OK;
}

/* --- the thread --- */

/* When Postgres crashes, our last batches may be lost. Without new records nothing else would show that. */
static void notice_loss(struct consumer *c) {
    struct why w;
    if (c->conn == NULL || commit_connected(c->conn)) return;
    set_back(c, why(&w, ST_LOST, "Postgres has ended the connection"), &w);
}

static void tick(struct consumer *c) {
    if (!topic_thread_tick(&c->thread)) return;
    notice_loss(c);
    if (group_state(c->thread.group) != GROUP_OUT) group_commit(c->thread.group); /* for Kafka's dashboards */
    topic_thread_measure(&c->thread);
}

/* Out of the group, or held: no record comes, but a member has to poll. */
static void wait_for_group(struct consumer *c, int64_t until_us) {
    struct group_partition *p;
    int64_t tick_us = c->thread.tick_at_us;
    rd_kafka_message_t *m =
        group_poll(c->thread.group, clock_ms_until(until_us < tick_us ? until_us : tick_us), &p);
    assert(m == NULL);
}

/* Does not wait for a place in the group: after a crash that comes when the session of the dead process has
 * ended, and requests are answered until then. */
static void get_ready(struct consumer *c) {
    struct why w = {0};
    enum status st = connect_to(c, &w);
    if (st != ST_OK)
        set_back(c, st, &w);
    else if (group_last_error(c->thread.group)[0] == '\0' && group_connected(c->thread.group))
        topic_thread_say_ready(&c->thread);
}

static void stay_out(struct consumer *c) {
    int64_t again_us = c->thread.tick_at_us;
    if (!topic_thread_ready(&c->thread, NULL)) {
        if (topic_thread_may_try(&c->thread)) get_ready(c);
        again_us = clock_mono_us() + MEET_MS * INT64_C(1000);
    }
    wait_for_group(c, again_us);
}

static void react(struct consumer *c) {
    struct why w = {0};
    batch_reset(&c->batch);
    enum status taken = gather(c, clock_ms_until(c->thread.tick_at_us), &w);
    if (group_state(c->thread.group) != GROUP_FETCHING || (taken == ST_OK && c->batch.records == 0)) return;

    struct why failed = {0};
    enum status st = c->batch.records > 0 ? commit(c, &failed) : ST_OK;
    if (st == ST_FENCED)
        fenced(c, &failed);
    else if (st == ST_INVALID)
        refused(c, &failed);
    else if (st != ST_OK)
        set_back(c, st, &failed);
    if (st != ST_OK) return;
    if (c->batch.records > 0) gone_well(c);
    if (taken != ST_OK) hold_one(c, c->unreadable, taken, &w);
}

static void step(void *consumer) {
    struct consumer *c = consumer;
    tick(c);
    struct why w = {0};
    switch (group_state(c->thread.group)) {
    case GROUP_OUT:
        stay_out(c);
        break;
    case GROUP_HELD:
        if (!topic_thread_may_try(&c->thread)) {
            wait_for_group(c, c->thread.backoff.until_us);
        } else {
            enum status st = place(c, &w);
            if (st != ST_OK) set_back(c, st, &w);
        }
        break;
    case GROUP_FETCHING:
        if (group_one_due(c->thread.group))
            group_hold(c->thread.group);
        else
            react(c);
        break;
    }
}

static void finish(void *consumer) {
    struct consumer *c = consumer;
    if (group_state(c->thread.group) != GROUP_OUT) group_commit(c->thread.group);
    metric_set(M_CONSUMER_PARTITIONS, 0);
}

/* --- starting and stopping --- */

static void consumer_close(void *consumer) {
    struct consumer *c = consumer;
    sources_free(&c->sources);
    PQfinish(c->conn);
    batch_free(&c->batch);
    sql_params_free(&c->positions);
    topic_thread_free(&c->thread);
    free(c);
}

static const struct topic_thread_work work = {.step = step, .finish = finish, .close = consumer_close};

struct consumer *consumer_start(const struct consumer_options *options, struct why *w) {
    struct consumer *c = mem_alloc(sizeof *c);
    const struct topic_thread_options thread = {.name = "consumer",
                                                .group = options->service,
                                                .instance = options->instance,
                                                .brokers = options->brokers,
                                                .topics = c->sources.names,
                                                .gather_ms = options->gather_ms,
                                                .leave_ms = LEAVE_MS,
                                                .registry_url = options->registry_url};
    if (topic_thread_init(&c->thread, &thread, &work, c, w) != ST_OK) {
        free(c);
        return NULL;
    }
    c->options = *options;
    c->most_records = options->batch_records;
    sources_init(&c->sources, options->reactions, c->thread.registry, options->unreadable_wait_ms);
    batch_init(&c->batch, options->reactions, options->batch_records);
    commit_positions_init(&c->positions);
    metrics_register(consumer_metrics);
    metrics_register(group_metrics);
    topic_thread_start(&c->thread);
    return c;
}

bool consumer_ready(struct consumer *c, struct why *w) {
    return topic_thread_ready(&c->thread, w);
}

void consumer_stop(struct consumer *c, int timeout_ms) {
    topic_thread_stop(&c->thread, timeout_ms);
}
