#include "priv/publisher_state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "priv/publisher_metrics.h"

void publisher_state_init(struct publisher_state *s) {
    metrics_register(publisher_metrics);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    assert(s->stop_fd >= 0);
    pthread_mutex_init(&s->lock, NULL);
    why(&s->text, ST_OK, "starting");
}

void publisher_state_free(struct publisher_state *s) {
    close(s->stop_fd);
    pthread_mutex_destroy(&s->lock);
}

void publisher_state_say(struct publisher_state *s, bool ready, const char *fmt, ...) {
    struct why now;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(now.text, sizeof now.text, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&s->lock);
    bool news = log_news(&s->text, &now) || ready != s->ready;
    s->ready = ready;
    pthread_mutex_unlock(&s->lock);
    s->settled = s->settled || ready;
    if (news) log_at(ready ? LOG_INFO : LOG_WARN, "publisher", "%s", now.text);
}

bool publisher_state_ready(struct publisher_state *s, struct why *w) {
    pthread_mutex_lock(&s->lock);
    bool ready = s->ready;
    if (!ready && w != NULL) *w = s->text;
    pthread_mutex_unlock(&s->lock);
    return ready;
}

void publisher_state_stop(struct publisher_state *s, int timeout_ms) {
    s->stop_by_us = clock_mono_us() + 1 + timeout_ms * 1000LL;
    uint64_t one = 1;
    ssize_t written = write(s->stop_fd, &one, sizeof one);
    assert(written == sizeof one);
}

bool publisher_state_stopping(const struct publisher_state *s) {
    return s->stop_by_us != 0;
}

bool publisher_state_out_of_time(const struct publisher_state *s) {
    return publisher_state_stopping(s) && clock_mono_us() >= s->stop_by_us;
}

void publisher_state_wait(const struct publisher_state *s, int ms) {
    clock_wait(s->stop_fd, clock_mono_us() + ms * INT64_C(1000));
}
