/* live_places: what is free in the areas of shows whose pages are open, told when it changes. For live.c, on
 * the HTTP thread of the streams.
 *
 * The topics say that a place has changed; how many are left, the tickets' service is asked: once for all
 * pages of a thread, and again for what changed meanwhile. So counts never drift, however much is missed. */
#pragma once

#include "live_stream.h"

struct live_places; /* of a show: one a thread, shared by its streams */

/* The stream shows it from now on; its want of the shape LIVE_SHOW is in the index already. Appends what is
 * known; the caller flushes. */
void live_places_enter(struct live_stream *s, struct live_want *want);
void live_places_leave(struct live_stream *s);
/* A place of the show is another. */
void live_places_changed(struct live_thread *t, const struct uuid *show);
