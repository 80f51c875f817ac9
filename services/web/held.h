/* held: what a visitor holds and has still to pay, told on every page until it ends. It is in a cookie of
 * theirs, so no page has to ask; a hint, which orders' pages and their list keep up. On the request's thread.
 */
#pragma once

#include "http.h"
#include "templates.h"

/* `path`: /orders/ID or /purchases/ID, where it is paid. One that is there already is told anew. */
void held_add(struct req *rq, struct str path, struct str title, int64_t until_us);
void held_drop(struct req *rq, struct str path); /* empty: all */
/* All that there are, by the newest of what somebody ordered: also what was held in another browser. */
void held_set(struct req *rq, const struct order_row_list *orders);
/* What the page has to tell, the first to end first. A hold's own page says it itself. */
void held_tell(struct req *rq, struct page_view *page);
