/* windows: what was counted of the tickets of one partition, minute by minute. No I/O; one owner thread.
 *
 * A window is one minute of a ticket, by the time at which the changes were made. It keeps *which* changes it
 * has counted: order and version of each, by which the event log and the warehouse know them, too. So
 * counting is adding to a set: a change that is read again changes nothing, and the order in which changes
 * are read does not matter. A change is always of the same window, because its time is a part of it: the
 * others need not be searched. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uuid.h"

enum { CURRENCY_TEXT = 3 };

enum sale_kind { SALE_PLACED, SALE_SOLD, SALE_CANCELLED, SALE_EXPIRED, SALE_KINDS };

struct sale { /* a change of an order that counts */
    struct uuid ticket, order;
    struct uuid show; /* whose place it is; zero: of none */
    int32_t version;
    enum sale_kind kind;
    int64_t at_ms;
    int64_t price;
    char currency[CURRENCY_TEXT];
};

struct counted {
    struct uuid order;
    uint32_t version_kind; /* version * SALE_KINDS + kind */
};
_Static_assert(sizeof(struct counted) == 20, "most of what a window takes");

struct window {
    int64_t revenue;
    struct counted *counted;
    uint32_t minute; /* since 1970 */
    uint32_t ncounted;
    uint16_t last_ms; /* of its newest change, within the minute */
    bool changed, closing;
};

struct ticket {
    struct uuid id, show;   /* show: as in sale */
    struct window *windows; /* by minute */
    uint32_t nwindows;
    char currency[CURRENCY_TEXT];
    bool changed;
};

struct windows;

/* keep: for so many minutes after its last change a sold ticket is remembered, and a change that is told
 * later than that, by the newest told, is not counted: by then it could be one that was. A ticket that is not
 * sold is remembered for good, as its totals go on. */
struct windows *windows_new(uint32_t keep);
void windows_free(struct windows *w);

enum count_result {
    COUNT_NEW,
    COUNT_LATE,    /* new, and the minute of another change, read before, is a later one */
    COUNT_KNOWN,   /* counted before */
    COUNT_REFUSED, /* no such change can be: a time before 1970, another currency than the ticket's */
    COUNT_OLD,     /* told later than it is remembered whether it was */
};
enum count_result windows_count(struct windows *w, const struct sale *sale);

/* NULL: nothing of it is counted. */
const struct ticket *windows_find(const struct windows *w, const struct uuid *ticket);
void windows_each(const struct windows *w, void (*take)(void *arg, const struct ticket *t), void *arg);

/* A window as it was kept, of a ticket with its id, show and currency: takes the place of what is there.
 * counted is copied. */
void windows_put(struct windows *w, const struct ticket *ticket, const struct window *window);

/* Looks at so many more tickets, and lets go of those that need not be remembered: to be taken, then freed.
 */
void windows_sweep(struct windows *w, uint32_t tickets);
bool windows_have_gone(const struct windows *w);
void windows_take_gone(const struct windows *w, void (*take)(void *arg, const struct ticket *t), void *arg);
void windows_free_gone(struct windows *w);
void windows_drop(struct windows *w, const struct uuid *ticket); /* it was let go of before */

/* All windows of these minutes (from and before until) are closing; of fewer minutes, if they are more than
 * `most` windows. Returns until where; from is before until. */
uint32_t windows_close(struct windows *w, uint32_t from, uint32_t until, size_t most);

/* Each ticket with a window that is changed or closing, once; none is then any more. */
void windows_take_changes(struct windows *w, void (*take)(void *arg, const struct ticket *t), void *arg);

/* What a window, or several together, come to. */
struct sums {
    int32_t placed, sold, cancelled, expired;
    int64_t revenue;
};
void windows_sums_add(struct sums *s, const struct window *window);

uint32_t windows_newest(const struct windows *w); /* the minute of the newest change */

struct windows_size {
    size_t tickets, windows, bytes;
};
struct windows_size windows_size(const struct windows *w);
