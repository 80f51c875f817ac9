/* wheel_slots: the wheel itself: which entries fire when.
 *
 * Four levels of 2048 slots. A slot of level 0 is a millisecond, of level 1 about 2 seconds, of level 2 70
 * minutes, of level 3 99 days. An entry is in the finest level whose 2048 slots, from the one of now on,
 * reach it; when now reaches a slot above level 0 its entries move down (one of 15 minutes does that once).
 * Bitmaps say which slots have entries, so empty slots are skipped. One owner thread. */
#pragma once

#include "wheel_entries.h"

struct slots {
    int64_t now_ms; /* all before it has fired, all moves down up to it are done */
    uint64_t occupied[WHEEL_LEVELS][WHEEL_LEVEL_SLOTS / 64];
};

/* Before now: at now. */
void wheel_slots_enter(struct slots *s, struct entry *at, uint32_t i, int64_t when_ms);
void wheel_slots_leave(struct slots *s, struct entry *at, uint32_t i);

/* Where wheel_slots_enter would put it. */
uint32_t wheel_slots_head(const struct slots *s, int64_t when_ms);

/* The next slot with something to do and when; of two at the same time the one that has to move down. False:
 * all are empty. */
bool wheel_slots_next(const struct slots *s, uint32_t *slot, int64_t *start_ms);
/* Now has come to this slot above level 0. */
void wheel_slots_move_down(struct slots *s, struct entry *at, uint32_t slot);
/* The clock was set back: now becomes earlier. All entries stay due when they were; what is to fire again
 * does so after as long as it would have. Each is looked at. */
void wheel_slots_turn_back(struct slots *s, struct entry *at, int64_t now_ms);
