/* uuid: ids are UUIDv7 (RFC 9562): 48 bits of milliseconds, then random bits, so they sort by age in every
 * index. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct uuid {
    uint8_t b[16];
};

enum { UUID_TEXT = 36 };

struct uuid uuid_v7(void);                          /* thread-safe; ascending within a thread */
bool uuid_parse(struct str text, struct uuid *out); /* any case, hyphens at 8-4-4-4-12, nothing else */
void uuid_format(const struct uuid *id, char out[UUID_TEXT]); /* lower case, not terminated */

static inline bool uuid_eq(const struct uuid *a, const struct uuid *b) {
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}
