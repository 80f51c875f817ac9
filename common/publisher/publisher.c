#include "publisher.h"

#include <stdlib.h>

#include "backoff.h"
#include "log.h"
#include "mem.h"
#include "priv/producer.h"
#include "priv/publisher_session.h"
#include "registry.h"
#include "thread.h"

/* Between tries. The longest is short, because no events are published meanwhile. */
enum { FIRST_RETRY_MS = 100, LAST_RETRY_MS = 2000 };

struct publisher {
    struct publisher_options options;
    struct publisher_state state;
    pthread_t thread;
    /* the thread's own */
    int registered; /* so many topics have a schema id: those of the logs, that of audits, that of watermarks
                     */
    int32_t schema_ids[PUBLISHER_MAX_TOPICS + 1];
    int64_t given_up; /* see publisher_session.h */
};

/* NULL: no more. */
static const struct topic *topic_to_register(const struct publisher *p) {
    const struct publisher_options *o = &p->options;
    const struct topic *topics[PUBLISHER_MAX_TOPICS + 2] = {NULL}, **next = topics;
    for (int i = 0; o->logs[i].table != NULL; i++)
        *next++ = o->logs[i].topic;
    if (o->audit != NULL) *next++ = o->audit;
    if (o->watermarks != NULL) *next++ = o->watermarks;
    return topics[p->registered];
}

static enum status register_schema(struct publisher *p, const struct topic *topic, struct why *w) {
    struct why cause = {0};
    struct registry *registry = registry_new(p->options.registry_url);
    enum status st = registry_register_topic(registry, topic, &p->schema_ids[p->registered], &cause);
    registry_free(registry);
    if (st != ST_OK)
        return why(w, st, "cannot register the schema of %s-value: %.180s", topic->name, cause.text);
    p->registered++;
    return ST_OK;
}

/* Before the first event, once in the process's life. */
static enum status register_schemas(struct publisher *p, struct why *w) {
    enum status st = ST_OK;
    const struct topic *topic;
    while (st == ST_OK && (topic = topic_to_register(p)) != NULL)
        st = register_schema(p, topic, w);
    return st;
}

static void *run(void *arg) {
    struct publisher *p = arg;
    struct backoff retry = {.first_ms = FIRST_RETRY_MS, .most_ms = LAST_RETRY_MS};
    while (!publisher_state_stopping(&p->state)) {
        struct why w = {0};
        p->state.settled = false;
        enum status st = register_schemas(p, &w);
        if (st == ST_OK) st = publisher_session_run(&p->options, p->schema_ids, &p->state, &p->given_up, &w);
        if (st == ST_STOPPED) break;
        if (p->state.settled) backoff_reset(&retry);
        publisher_state_say(&p->state, false, "%s", w.text);
        publisher_state_wait(&p->state, backoff_fail(&retry));
    }
    return NULL;
}

struct publisher *publisher_start(const struct publisher_options *options, struct why *w) {
    if (producer_check(options->brokers, w) != ST_OK) return NULL;
    struct publisher *p = mem_alloc(sizeof *p);
    p->options = *options;
    if (options->replication_url == NULL || options->replication_url[0] == '\0')
        p->options.replication_url = options->database_url;
    p->given_up = -1;
    publisher_state_init(&p->state);
    p->thread = thread_start("publisher", run, p);
    return p;
}

bool publisher_ready(struct publisher *p, struct why *w) {
    return publisher_state_ready(&p->state, w);
}

/* How much longer the thread may take after its time is over: it leaves the slot, closes connections, and may
 * be in a call that cannot be ended. */
enum { LEAVE_US = 2000 * 1000 };

void publisher_stop(struct publisher *p, int timeout_ms) {
    publisher_state_stop(&p->state, timeout_ms);
    if (!thread_join(p->thread, p->state.stop_by_us + LEAVE_US)) {
        log_error("publisher", "did not stop in time; what is committed is published after the next start");
        return; /* the thread still uses p */
    }
    publisher_state_free(&p->state);
    free(p);
}
