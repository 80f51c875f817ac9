#include "wheel_offsets.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { SPAN_BITS = 10 };

/* 4 × 10¹²; what is above counts as this: a restart reads more than it has to. */
#define LAST_OFFSET ((INT64_C(1) << (32 + SPAN_BITS)) - 1)

void wheel_offsets_free(struct offsets *o) {
    free(o->counts);
    *o = (struct offsets){0};
}

uint64_t wheel_offsets_bytes(const struct offsets *o) {
    return o->room * sizeof *o->counts;
}

/* Spans in front that nothing pends in any more. */
static void drop_empty(struct offsets *o) {
    uint32_t empty = 0;
    while (empty < o->n && o->counts[empty] == 0)
        empty++;
    if (empty == 0) return;
    o->n -= empty;
    o->first += empty;
    memmove(o->counts, o->counts + empty, o->n * sizeof *o->counts);
}

static void make_room(struct offsets *o, uint32_t n) {
    if (n <= o->room) return;
    o->room = n + n / 2;
    o->counts = mem_grow(o->counts, o->room * sizeof *o->counts);
}

static void extend_to(struct offsets *o, uint32_t span) {
    if (span - o->first >= o->room) drop_empty(o);
    uint32_t n = span - o->first + 1;
    make_room(o, n);
    memset(o->counts + o->n, 0, (n - o->n) * sizeof *o->counts);
    o->n = n;
}

/* Only when records are read again. */
static void extend_back_to(struct offsets *o, uint32_t span) {
    uint32_t more = o->first - span;
    make_room(o, o->n + more);
    memmove(o->counts + more, o->counts, o->n * sizeof *o->counts);
    memset(o->counts, 0, more * sizeof *o->counts);
    o->first = span;
    o->n += more;
}

uint32_t wheel_offsets_enter(struct offsets *o, int64_t offset) {
    if (offset < 0) offset = 0;
    if (offset > LAST_OFFSET) offset = LAST_OFFSET;
    uint32_t span = (uint32_t)(offset >> SPAN_BITS);
    if (o->pending == 0) {
        o->first = span;
        o->n = 0;
        o->least = offset;
    }
    if (offset < o->least) o->least = offset;
    if (span < o->first) extend_back_to(o, span);
    if (span - o->first >= o->n) extend_to(o, span);
    o->counts[span - o->first]++;
    o->pending++;
    return span;
}

void wheel_offsets_leave(struct offsets *o, uint32_t span) {
    o->counts[span - o->first]--;
    o->pending--;
}

int64_t wheel_offsets_oldest(const struct offsets *o) {
    if (o->pending == 0) return -1;
    uint32_t i = 0;
    while (o->counts[i] == 0)
        i++;
    int64_t start = (int64_t)(o->first + i) << SPAN_BITS;
    return start > o->least ? start : o->least;
}
