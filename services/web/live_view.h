/* live_view: the last state of tickets and orders by their topics, of as many as fit, those that changed
 * last. Only the tap's thread uses it.
 *
 * For each partition it also has the offset up to which it was read, and the offset from which on nothing has
 * been dropped.
 */
#pragma once

#include <stdatomic.h>

#include "buf.h"
#include "events.h"
#include "html.h"

enum live_kind { LIVE_TICKET, LIVE_ORDER };

/* Never changes, so any thread may read it; counted. */
struct live_item {
    _Atomic int refs;
    enum live_kind kind;
    struct uuid id;
    struct uuid owner;  /* who sells it; who bought it */
    struct uuid ticket; /* of an order */
    struct uuid show;   /* of a ticket that is a place; else zero */
    struct uuid holder; /* of a ticket: whose order it is held or bought by, as far as that is known */
    int version;
    bool created;              /* by its first event */
    enum ticket_status status; /* from here on of a ticket only */
    struct uuid order;
    struct price price;
    int64_t date;                  /* 0: not given, as the place and the city may be, too */
    struct str title, venue, city; /* within `texts` */
    char texts[];
};

const struct live_item *live_item_ref(const struct live_item *item);
void live_item_unref(const struct live_item *item);

struct live_view;
struct live_view *live_view_new(size_t most);
void live_view_free(struct live_view *view);

/* From here on it will be read. A partition that it knows goes on where it was, unless it is `gone`. Returns
 * where to read from. */
int64_t live_view_begin(struct live_view *view, int topic, int32_t partition, int64_t offset, bool gone);
/* A record was read, whether it said something or not. */
void live_view_passed(struct live_view *view, int topic, int32_t partition, int64_t offset);

/* What a record says; NULL: nothing new. The view's own reference: it lasts until the next one of these. */
const struct live_item *live_view_ticket(struct live_view *view, int topic, int32_t partition, int64_t offset,
                                         const struct ticket_event *e);
const struct live_item *live_view_order(struct live_view *view, int topic, int32_t partition, int64_t offset,
                                        const struct order_event *e);
const struct live_item *live_view_find(const struct live_view *view, const struct uuid *id);
size_t live_view_count(const struct live_view *view);

/* Where it stands, as text: an offset a partition. */
void live_view_place(const struct live_view *view, struct buf *out);
/* Whether all that was said behind such a place, of what is not in the view now, is known: that nothing was.
 */
bool live_view_reaches(const struct live_view *view, struct str place);
