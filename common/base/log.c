#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"

static const char *const names[] = {"debug", "info", "warn", "error"};
static const char *service = "";
static enum log_level threshold = LOG_INFO;

void log_setup(const char *name, enum log_level least) {
    service = name;
    threshold = least;
}

bool log_level_parse(const char *text, enum log_level *out) {
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

bool log_enabled(enum log_level level) {
    return level >= threshold;
}

/* A line that cannot be written is lost: there is nowhere to say so. */
static void write_all(const uint8_t *p, size_t n) {
    while (n > 0) {
        ssize_t written = write(STDOUT_FILENO, p, n);
        if (written < 0 && errno != EINTR) return;
        if (written < 0) continue;
        p += written;
        n -= (size_t)written;
    }
}

void log_at(enum log_level level, const char *part, const char *fmt, ...) {
    if (!log_enabled(level)) return;
    char message[1024]; /* longer messages are cut */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);

    struct json line = {0};
    json_open(&line, '{');
    json_key(&line, "at");
    json_time(&line, clock_wall_us());
    json_key(&line, "level");
    json_text(&line, str_of(names[level]));
    json_key(&line, "service");
    json_text(&line, str_of(service));
    json_key(&line, "part");
    json_text(&line, str_of(part));
    json_key(&line, "message");
    json_text(&line, str_of(message));
    json_close(&line, '}');
    buf_add(&line.out, "\n", 1);
    write_all(line.out.data, line.out.len); /* one write: lines of several threads do not mix */
    buf_free(&line.out);
}

void log_lines(struct buf *b) {
    write_all(b->data, b->len);
    b->len = 0;
}

static const char *past_digits(const char *p) {
    return p + strspn(p, "0123456789");
}

static bool same_but_numbers(const char *a, const char *b) {
    for (;; a++, b++) {
        a = past_digits(a);
        b = past_digits(b);
        if (*a != *b) return false;
        if (*a == '\0') return true;
    }
}

bool log_news(struct why *said, const struct why *now) {
    bool news = !same_but_numbers(said->text, now->text);
    *said = *now;
    return news;
}
