/* keys: the idempotency keys whose first request is not answered yet. Another request with such a key gets
 * 409, as from Stripe. They are kept in memory only. Any thread; a lock is held for the length of one list.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct keys;
struct key_hold { /* embedded in the request's state */
    struct str key;
    struct key_hold *next;
    bool held;
};

struct keys *keys_new(void);
void keys_free(struct keys *keys);
bool keys_take(struct keys *keys, struct key_hold *hold, struct str key); /* false: another request has it */
void keys_give(struct keys *keys, struct key_hold *hold);                 /* nothing if it has none */
