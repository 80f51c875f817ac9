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
    if (!is_occupied(s, slot)) ring_init(at, RING_SLOT, slot);
    occupy(s, slot);
    ring_insert(at, RING_SLOT, at[slot].ring[RING_SLOT].prev, i);
}

static int64_t number(int64_t when, int level) {
    return when >> level * WHEEL_DIGIT_BITS;
}

static int level_of(int64_t now, int64_t when) {
    int level = 0;
    while (number(when, level) - number(now, level) >= WHEEL_LEVEL_SLOTS)
        level++;
    return level; /* the last reaches past WHEEL_LAST_MS from any now */
}

static uint32_t slot_of(int64_t when, int level) {
    return (uint32_t)(level * WHEEL_LEVEL_SLOTS + (number(when, level) & DIGIT_MASK));
}

void slots_enter(struct slots *s, struct entry *at, uint32_t i, int64_t when) {
    if (when < s->now) when = s->now;
    join(s, at, slot_of(when, level_of(s->now, when)), i);
}

void slots_leave(struct slots *s, struct entry *at, uint32_t i) {
    ring_leave(at, RING_SLOT, i);
    uint32_t head = at[i].ring[RING_SLOT].next;
    if (head < WHEEL_SLOTS && ring_is_empty(at, RING_SLOT, head)) vacate(s, head);
}

bool slots_next(const struct slots *s, uint32_t *slot, int64_t *start) {
    bool any = false;
    for (int level = WHEEL_LEVELS - 1; level >= 0; level--) {
        int64_t current = number(s->now, level);
        int d = distance(s->occupied[level], (int)(current & DIGIT_MASK));
        if (d < 0) continue;
        int64_t begin = (current + d) << level * WHEEL_DIGIT_BITS;
        if (any && begin >= *start) continue;
        *slot = slot_of(begin, level);
        *start = begin;
        any = true;
    }
    return any;
}

/* When an entry of the slot that now is at fires. One that fires again keeps but the low bits of that; the
 * slot has the others. Only through a slot of 99 days, after a pause as long, are they too few: then it may
 * fire sooner again than was said, never before it is due. */
static int64_t when_of(int64_t now, const struct entry *e) {
    int64_t due = (int64_t)e->due, again = (now & ~WHEEL_AGAIN_MASK) | (int64_t)e->again;
    return e->attempt == 0 || again < due ? due : again;
}

/* Each entry of the slot that now is, or was, at. */
static void enter_anew(struct slots *s, struct entry *at, uint32_t slot, int64_t now) {
    vacate(s, slot);
    for (uint32_t i = at[slot].ring[RING_SLOT].next, next; i != slot; i = next) {
        next = at[i].ring[RING_SLOT].next;
        slots_enter(s, at, i, when_of(now, &at[i]));
    }
}

void slots_move_down(struct slots *s, struct entry *at, uint32_t slot) {
    enter_anew(s, at, slot, s->now);
}

/* A slot that its level does not reach from `now`, into one that does. */
static void move_up(struct slots *s, struct entry *at, uint32_t slot, int64_t start, int64_t now) {
    uint32_t to = slot_of(start, level_of(now, start));
    if (!is_occupied(s, to)) ring_init(at, RING_SLOT, to);
    occupy(s, to);
    ring_move(at, RING_SLOT, slot, to);
    vacate(s, slot);
}

/* What a level does not reach any more from `now` goes up, a slot at a time. The slot of now is another
 * matter: it also has what was overdue when it was added, and that may not be due any more. */
void slots_turn_back(struct slots *s, struct entry *at, int64_t now) {
    uint32_t current = slot_of(s->now, 0);
    for (int level = WHEEL_LEVELS - 1; level >= 0; level--) {
        for (int d = level == 0 ? 1 : 0; d < WHEEL_LEVEL_SLOTS; d++) {
            int64_t start = (number(s->now, level) + d) << level * WHEEL_DIGIT_BITS;
            uint32_t slot = slot_of(start, level);
            if (is_occupied(s, slot) && number(start, level) - number(now, level) >= WHEEL_LEVEL_SLOTS)
                move_up(s, at, slot, start, now);
        }
    }
    int64_t was = s->now;
    s->now = now;
    if (is_occupied(s, current)) enter_anew(s, at, current, was);
}
