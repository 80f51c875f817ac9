/* log_position: the place of an event in the order of commits, as in the header `position`: the LSN of its
 * commit and its number within the transaction, from 1. It is written with leading zeros, so that texts sort
 * as positions do. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hex.h"
#include "str.h"

struct log_position {
    uint64_t lsn; /* 0: from the log, before the slot */
    uint64_t ordinal;
};

enum { LOG_POSITION_TEXT = 16 + 1 + 16 };

/* Returns the length; not terminated. By hand, because printf takes longer than encoding the whole event. */
static inline int log_position_format(struct log_position p, char out[LOG_POSITION_TEXT]) {
    char *end = hex_number(out, p.lsn, 16);
    *end++ = '/';
    return (int)(hex_number(end, p.ordinal, p.ordinal >> 32 == 0 ? 8 : 16) - out);
}

/* 1 to 16 hex digits from *at on; moves *at behind them. */
static inline bool log_position_number(const char **at, const char *end, uint64_t *out) {
    const char *first = *at;
    *out = 0;
    for (; *at < end && hex_value(**at) >= 0; ++*at)
        *out = *out << 4 | (uint64_t)hex_value(**at);
    return *at > first && *at - first <= 16;
}

static inline bool log_position_parse(struct str text, struct log_position *out) {
    *out = (struct log_position){0};
    const char *at = text.p, *end = text.p + text.n;
    if (!log_position_number(&at, end, &out->lsn) || at == end || *at++ != '/') return false;
    return log_position_number(&at, end, &out->ordinal) && at == end;
}

static inline bool log_position_after(struct log_position a, struct log_position b) {
    return a.lsn != b.lsn ? a.lsn > b.lsn : a.ordinal > b.ordinal;
}
