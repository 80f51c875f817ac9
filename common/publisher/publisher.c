#include "publisher.h"

#include <assert.h>
#include <ctype.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "priv/publisher_priv.h"
#include "registry.h"
#include "thread.h"

/* Between tries, doubling. The last is short: nobody reads a service's events while its publisher waits. */
enum { FIRST_RETRY_MS = 100, LAST_RETRY_MS = 2000 };

bool publisher_stopping(const struct publisher *p) {
    return p->stop_by_us != 0;
}

bool publisher_out_of_time(const struct publisher *p) {
    return publisher_stopping(p) && clock_mono_us() >= p->stop_by_us;
}

void publisher_wait(const struct publisher *p, int ms) {
    struct pollfd fd = {p->stop_fd, POLLIN, 0};
    poll(&fd, 1, ms);
}

/* Times and port numbers vary from one try to the next, and are no news. */
static bool same_but_numbers(const char *a, const char *b) {
    for (;;) {
        while (isdigit((unsigned char)*a))
            a++;
        while (isdigit((unsigned char)*b))
            b++;
        if (*a != *b) return false;
        if (*a == 0) return true;
        a++;
        b++;
    }
}

void publisher_say(struct publisher *p, bool ready, const char *fmt, ...) {
    struct why now;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(now.text, sizeof now.text, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&p->lock);
    bool news = ready != p->ready || !same_but_numbers(now.text, p->state.text);
    p->ready = ready;
    p->state = now;
    pthread_mutex_unlock(&p->lock);
    p->settled = p->settled || ready;
    if (news) log_at(ready ? LOG_INFO : LOG_WARN, "publisher", "%s", now.text);
}

/* Before the first event, once in the process's life. */
static enum status register_schema(struct publisher *p, struct why *w) {
    if (p->registered) return ST_OK;
    const struct topic *topic = p->options.topic;
    struct why cause = {0};
    struct registry *registry = registry_new(p->options.registry_url);
    enum status st = registry_register_topic(registry, topic, &p->schema_id, &cause);
    registry_free(registry);
    if (st != ST_OK)
        return why(w, st, "cannot register the schema of %s-value: %.180s", topic->name, cause.text);
    p->registered = true;
    return ST_OK;
}

static void *run(void *arg) {
    struct publisher *p = arg;
    for (int retry_ms = FIRST_RETRY_MS; !publisher_stopping(p);) {
        struct why w = {0};
        p->settled = false;
        enum status st = register_schema(p, &w);
        if (st == ST_OK) st = session_run(p, &w);
        if (st == ST_STOPPED) break;
        if (p->settled) retry_ms = FIRST_RETRY_MS;
        publisher_say(p, false, "%s", w.text);
        publisher_wait(p, retry_ms);
        retry_ms = 2 * retry_ms < LAST_RETRY_MS ? 2 * retry_ms : LAST_RETRY_MS;
    }
    return NULL;
}

struct publisher *publisher_start(const struct publisher_options *options) {
    struct why w;
    if (producer_check(options->brokers, &w) != ST_OK) {
        fprintf(stderr, "%s: %s\n", options->service, w.text);
        exit(EX_CONFIG);
    }
    struct publisher *p = mem_alloc(sizeof *p);
    p->options = *options;
    p->given_up = -1;
    p->stop_fd = eventfd(0, EFD_CLOEXEC);
    assert(p->stop_fd >= 0);
    pthread_mutex_init(&p->lock, NULL);
    why(&p->state, ST_OK, "starting");
    p->thread = thread_start("publisher", run, p);
    return p;
}

bool publisher_ready(struct publisher *p, struct why *w) {
    pthread_mutex_lock(&p->lock);
    bool ready = p->ready;
    if (!ready && w != NULL) *w = p->state;
    pthread_mutex_unlock(&p->lock);
    return ready;
}

/* What the thread may take after its time is up: leaving the slot, closing connections, a call that cannot be
 * cut short. */
enum { LEAVE_US = 2000 * 1000 };

void publisher_stop(struct publisher *p, int timeout_ms) {
    p->stop_by_us = clock_mono_us() + 1 + timeout_ms * 1000LL;
    uint64_t one = 1;
    ssize_t written = write(p->stop_fd, &one, sizeof one);
    assert(written == sizeof one);
    if (!thread_join(p->thread, p->stop_by_us + LEAVE_US)) {
        log_error("publisher", "did not stop in time; what is committed is published after the next start");
        return; /* the thread still uses p */
    }
    close(p->stop_fd);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
