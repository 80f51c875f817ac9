/* buyers: who has placed an order lately, until it is known whose turn it was by. The topics are read side by
 * side, and after a start `orders` may be far ahead of `waiting`. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "uuid.h"

struct buyer {
    struct uuid show, user;
    int size;        /* of the purchase that it is of */
    int64_t at_us;   /* when he placed it */
    int64_t read_us; /* when we read that, by the monotonic clock */
};

struct buyers {
    struct buyer *all;
    uint32_t count, room;
};

void buyers_add(struct buyers *b, const struct buyer *buyer);
/* Gives each to `settle`, and keeps those for which it returns false, for some seconds. */
void buyers_settle(struct buyers *b, bool (*settle)(void *arg, const struct buyer *buyer), void *arg);
void buyers_free(struct buyers *b);
