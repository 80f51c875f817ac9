/* wheel: the timers of orders that are not over yet. A hierarchical timing wheel on absolute wall time, of
 * one millisecond a tick.
 *
 * An order stays here until the topic shows that it is over (wheel_remove). Firing does not remove it: it is
 * armed again, at a time the caller says. The wheel owns all its memory and copies what it is given. Adding,
 * removing and firing are O(1); an empty tick costs nothing. One owner thread.
 *
 * It reads no clock: time is what wheel_expire is told, and may jump forward and back. Set back, what did not
 * fire waits until it is due by the new time; what did fire comes again as long from now as it would have.
 * That takes a look at each timer, so a step back of a second at most is waited for instead: nothing fires
 * until the time is what it was.
 *
 * All times are Unix milliseconds. Those outside of 0 … WHEEL_LAST_MS are taken as the nearest of these. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uuid.h"

#define WHEEL_LAST_MS ((INT64_C(1) << 42) - 1) /* in the year 2109: never fires */

enum {
    WHEEL_SET_BACK_MS = 1000,                /* so far back the clock is waited for, see above */
    WHEEL_MAX_BACKOFF_MS = 24 * 3600 * 1000, /* between two attempts */
    WHEEL_PREFETCH = 128,                    /* orders whose memory fits the nearest caches, all at once */
};

/* A pending order, as fire sees it. */
struct wheel_timer {
    struct uuid order, ticket;
    int64_t due_ms; /* when the hold ends: the order's expiresAt, whatever the attempt */
    int attempt;    /* 0: fires for the first time */
};

struct wheel;

struct wheel *wheel_new(int64_t now_ms);
void wheel_free(struct wheel *w); /* NULL is fine */

/* A new pending order. due_ms may be past: then it fires in the next wheel_expire. offset is that of the
 * record that says so. False: the order is pending already; if it is due at another time than before, it
 * fires for the first time then. */
bool wheel_add(struct wheel *w, const struct uuid *order, const struct uuid *ticket, int64_t offset,
               int64_t due_ms);
/* The order is over: completed or cancelled. False: it was not pending. */
bool wheel_remove(struct wheel *w, const struct uuid *order);

/* A hint: these orders (at most WHEEL_PREFETCH), due then, are about to be added or removed. With millions
 * pending each of them is several waits for memory; announced together, they share them. Changes nothing. */
void wheel_prefetch(const struct wheel *w, const struct uuid *orders, const int64_t *due_ms, size_t n);

/* Fires what is due at now_ms, earliest tick first, but at most max: then call it again. fire returns when to
 * fire this one again if it is still pending then: after now_ms (what is not is taken as now_ms + 1, so
 * nothing fires twice in a call), at most WHEEL_MAX_BACKOFF_MS ahead. Never fires before due_ms. fire must
 * not call anything of this wheel. Returns how many fired. */
int wheel_expire(struct wheel *w, int64_t now_ms, int max,
                 int64_t (*fire)(void *ctx, const struct wheel_timer *t), void *ctx);
/* When to call wheel_expire at the latest, INT64_MAX when nothing pends. May be before the next one is due
 * (the wheel has to turn), and in the past. */
int64_t wheel_next_ms(const struct wheel *w);

/* No pending order's offset is below, and about 1024 above at most is the least. -1: none is pending. */
int64_t wheel_oldest_offset(const struct wheel *w);
size_t wheel_count(const struct wheel *w);
size_t wheel_bytes(const struct wheel *w); /* all memory it holds */
