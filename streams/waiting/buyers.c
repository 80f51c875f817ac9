#include "buyers.h"

#include <stdlib.h>

#include "clock.h"
#include "mem.h"

enum {
    FIRST = 64,
    KEEP_MS = 5000, /* that the record of a turn may take longer to us than the order to which it led */
};

void buyers_add(struct buyers *b, const struct buyer *buyer) {
    if (b->count == b->room) {
        b->room = b->room == 0 ? FIRST : 2 * b->room;
        b->all = mem_grow(b->all, b->room * sizeof *b->all);
    }
    b->all[b->count++] = *buyer;
}

void buyers_settle(struct buyers *b, bool (*settle)(void *arg, const struct buyer *buyer), void *arg) {
    int64_t since_us = clock_mono_us() - KEEP_MS * INT64_C(1000);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->count; i++)
        if (!settle(arg, &b->all[i]) && b->all[i].read_us > since_us) b->all[kept++] = b->all[i];
    b->count = kept;
    if (kept == 0) buyers_free(b); /* a start may have needed much */
}

void buyers_free(struct buyers *b) {
    free(b->all);
    *b = (struct buyers){0};
}
