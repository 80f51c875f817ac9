/* log: one JSON object a line on stdout: {"at":"2026-…Z","level":"info","service":"NAME","message":"…"}.
 *
 * log_info and the like are for what happens in the process, not for each request. The lines of requests are
 * made by http, and written by log_lines once a turn of the loop. Any thread. Never pass a token, password or
 * key. */
#pragma once

#include <stdbool.h>

#include "buf.h"
#include "status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_setup(const char *service, enum log_level least);
bool log_level_parse(const char *text, enum log_level *out);
bool log_enabled(enum log_level level);

/* log_info("publisher", "took over slot %s", slot): the first argument is the module ("part" in JSON). */
void log_at(enum log_level level, const char *part, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

/* For trouble that lasts: whether `now` differs from *said, which was logged last; then *said becomes `now`.
 * Digits do not count: times and ports vary from one try to the next. */
bool log_news(struct why *said, const struct why *now);

/* Writes whole lines already made (they end in \n), empties b. */
void log_lines(struct buf *b);
