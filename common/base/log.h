/* log: one JSON object a line on stdout: {"at":"2026-…Z","level":"info","service":"tickets","message":"…",
 * …}.
 *
 * log_* is for events in a service's life and may be called from any thread. Request lines come from http
 * through log_line, gathered a loop iteration and written by one write(). Never pass a token, password or
 * key. */
#pragma once

#include <stdbool.h>

#include "buf.h"
#include "status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_setup(const char *service, enum log_level least);
bool log_level_parse(const char *text, enum log_level *out);
bool log_enabled(enum log_level level);

/* log_info("publisher", "took over slot %s", slot): the first argument is the module that speaks ("part" in
 * JSON). */
void log_at(enum log_level level, const char *part, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

/* For trouble that lasts: whether `now` is news after what was said last, and remembers it. Numbers are no
 * news: times and ports vary from one try to the next. */
bool log_news(struct why *said, const struct why *now);

/* Writes whole lines already made (they end in \n), empties b. */
void log_lines(struct buf *b);
