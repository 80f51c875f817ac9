/* wheel_offsets: finds the offset from which on a restart has to read to find all pending orders. Pending
 * orders are counted by spans of 1024 offsets, so the result may be that much too early. The exact offset
 * would take two more cache misses for each timer. One owner thread. */
#pragma once

#include <stdint.h>

struct offsets {
    uint32_t *counts; /* of pending orders, of each span from `first` on */
    uint32_t first, n, room;
    uint32_t pending; /* the sum */
    int64_t least;    /* no pending one is below */
};

void wheel_offsets_free(struct offsets *o);
uint64_t wheel_offsets_bytes(const struct offsets *o);

uint32_t wheel_offsets_enter(struct offsets *o, int64_t offset); /* its span */
void wheel_offsets_leave(struct offsets *o, uint32_t span);
int64_t wheel_offsets_oldest(const struct offsets *o); /* -1: none pends */
