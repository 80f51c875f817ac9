#include "uuid.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum { RANDOM_POOL = 4096 }; /* one getrandom() for 512 ids instead of one each */

static void random_bytes(uint8_t *out, size_t n) {
    static _Thread_local uint8_t pool[RANDOM_POOL];
    static _Thread_local size_t left;
    if (left < n) {
        if (getrandom(pool, sizeof pool, 0) != (ssize_t)sizeof pool) abort();
        left = sizeof pool;
    }
    left -= n;
    memcpy(out, pool + left, n);
}

/* Within a millisecond a thread counts up in the 12 bits behind the time (method 1 of RFC 9562 6.2); when
 * these run out it borrows from the next millisecond, so the order holds also when the clock steps back. */
struct uuid uuid_v7(void) {
    static _Thread_local uint64_t last; /* milliseconds << 12 | counter */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct uuid id;
    random_bytes(id.b + 6, 10);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    /* start each millisecond low in the counter, at a random place, so that threads and replicas interleave
     */
    uint64_t tick = ms << 12 | (uint64_t)(id.b[6] & 0x03) << 8 | id.b[7];
    last = tick > last ? tick : last + 1;
    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)(last >> (12 + 40 - 8 * i));
    id.b[6] = (uint8_t)(0x70 | (last >> 8 & 0x0f));
    id.b[7] = (uint8_t)last;
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}
