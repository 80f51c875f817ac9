/* publisher_position: where an event stands in the order of commits, as the header `position` says it: the
 * LSN of its commit and its number within the transaction, from 1. Written with leading zeros, so that texts
 * compare as positions do. */
#pragma once

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "str.h"

struct position {
    uint64_t lsn; /* 0: from the log, before the slot */
    uint64_t ordinal;
};

enum { POSITION_TEXT = 16 + 1 + 16 + 1 };

static inline int position_format(struct position p, char out[POSITION_TEXT]) {
    return snprintf(out, POSITION_TEXT, "%016" PRIx64 "/%08" PRIx64, p.lsn, p.ordinal);
}

static inline bool position_parse(struct str text, struct position *out) {
    char copy[POSITION_TEXT];
    if (text.n == 0 || text.n >= sizeof copy) return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    int end = -1;
    return sscanf(copy, "%16" SCNx64 "/%16" SCNx64 "%n", &out->lsn, &out->ordinal, &end) == 2 &&
           end == (int)text.n;
}

static inline bool position_after(struct position a, struct position b) {
    return a.lsn != b.lsn ? a.lsn > b.lsn : a.ordinal > b.ordinal;
}
