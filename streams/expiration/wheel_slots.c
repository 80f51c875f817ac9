#include "wheel_slots.h"

#define DIGIT_MASK ((int64_t)WHEEL_LEVEL_SLOTS - 1)

/* --- which slots have entries --- */

static void occupy(struct slots *s, uint32_t slot) {
    s->occupied[slot / WHEEL_LEVEL_SLOTS][slot % WHEEL_LEVEL_SLOTS / 64] |= UINT64_C(1) << slot % 64;
}

static void vacate(struct slots *s, uint32_t slot) {
    s->occupied[slot / WHEEL_LEVEL_SLOTS][slot % WHEEL_LEVEL_SLOTS / 64] &= ~(UINT64_C(1) << slot % 64);
}

static bool is_occupied(const struct slots *s, uint32_t slot) {
    return s->occupied[slot / WHEEL_LEVEL_SLOTS][slot % WHEEL_LEVEL_SLOTS / 64] >> slot % 64 & 1;
}

/* How many slots from this digit on, around the level, the next one with entries is; -1: none. */
static int distance(const uint64_t *occupied, int digit) {
    enum { WORDS = WHEEL_LEVEL_SLOTS / 64 };
    for (int n = 0, word = digit / 64; n <= WORDS; n++, word = (word + 1) % WORDS) {
        uint64_t bits = occupied[word];
        if (n == 0) bits &= ~UINT64_C(0) << digit % 64;
        if (bits != 0) return (word * 64 + __builtin_ctzll(bits) - digit) & (int)DIGIT_MASK;
    }
    return -1;
}

/* --- entries --- */

static void join(struct slots *s, struct entry *at, uint32_t slot, uint32_t i) {
    if (!is_occupied(s, slot)) ring_init(at, slot);
    occupy(s, slot);
    ring_insert(at, at[slot].prev, i);
}

static int64_t number(int64_t when_ms, int level) {
    return when_ms >> level * WHEEL_DIGIT_BITS;
}

static int level_of(int64_t now_ms, int64_t when_ms) {
    int level = 0;
    while (number(when_ms, level) - number(now_ms, level) >= WHEEL_LEVEL_SLOTS)
        level++;
    return level; /* the last reaches past WHEEL_LAST_MS from any now_ms */
}

static uint32_t slot_of(int64_t when_ms, int level) {
    return (uint32_t)(level * WHEEL_LEVEL_SLOTS + (number(when_ms, level) & DIGIT_MASK));
}

uint32_t wheel_slots_head(const struct slots *s, int64_t when_ms) {
    if (when_ms < s->now_ms) when_ms = s->now_ms;
    return slot_of(when_ms, level_of(s->now_ms, when_ms));
}

void wheel_slots_enter(struct slots *s, struct entry *at, uint32_t i, int64_t when_ms) {
    join(s, at, wheel_slots_head(s, when_ms), i);
}

void wheel_slots_leave(struct slots *s, struct entry *at, uint32_t i) {
    ring_leave(at, i);
    uint32_t head = at[i].next;
    if (head < WHEEL_SLOTS && ring_is_empty(at, head)) vacate(s, head);
}

bool wheel_slots_next(const struct slots *s, uint32_t *slot, int64_t *start_ms) {
    bool any = false;
    for (int level = WHEEL_LEVELS - 1; level >= 0; level--) {
        int64_t current = number(s->now_ms, level);
        int d = distance(s->occupied[level], (int)(current & DIGIT_MASK));
        if (d < 0) continue;
        int64_t begin_ms = (current + d) << level * WHEEL_DIGIT_BITS;
        if (any && begin_ms >= *start_ms) continue;
        *slot = slot_of(begin_ms, level);
        *start_ms = begin_ms;
        any = true;
    }
    return any;
}

/* Before its first signal when it is due; then when fire said, but not before it is due: the clock may have
 * been set back meanwhile. */
static int64_t when_of(const struct entry *e) {
    return e->attempt == 0 || e->again_ms < e->due_ms ? e->due_ms : e->again_ms;
}

static void enter_all(struct slots *s, struct entry *at, uint32_t head) {
    for (uint32_t i = at[head].next, next; i != head; i = next) {
        next = at[i].next;
        wheel_slots_enter(s, at, i, when_of(&at[i]));
    }
}

void wheel_slots_move_down(struct slots *s, struct entry *at, uint32_t slot) {
    vacate(s, slot);
    enter_all(s, at, slot);
}

void wheel_slots_turn_back(struct slots *s, struct entry *at, int64_t now_ms) {
    int64_t back_ms = s->now_ms - now_ms;
    ring_init(at, ENTRIES_LIMBO);
    for (uint32_t slot = 0; slot < WHEEL_SLOTS; slot++) {
        if (!is_occupied(s, slot)) continue;
        ring_move(at, slot, ENTRIES_LIMBO);
        vacate(s, slot);
    }
    for (uint32_t i = at[ENTRIES_LIMBO].next; i != ENTRIES_LIMBO; i = at[i].next)
        at[i].again_ms -= back_ms;
    s->now_ms = now_ms;
    enter_all(s, at, ENTRIES_LIMBO);
}
