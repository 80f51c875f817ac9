/* live_index: finds the streams that show a ticket or an order. Each HTTP thread has its own. */
#pragma once

#include "uuid.h"

enum live_shape {
    LIVE_CARD,   /* of a ticket, in a list */
    LIVE_SHEET,  /* of a ticket, its page's */
    LIVE_NOTICE, /* of an order: that it is another now */
    LIVE_SHOW,   /* of a show: what is free in its areas (live_places.h) */
};

/* One thing that a stream shows. Its owner's memory. */
struct live_want {
    struct live_want *next, **at; /* of the same bucket; at is NULL while it is not in an index */
    struct uuid id;
    enum live_shape shape;
    int version; /* that its page had */
    void *stream;
};

struct live_index {
    struct live_want **buckets;
    size_t nbuckets, count;
    uint64_t seed;
};

void live_index_add(struct live_index *index, struct live_want *want);
void live_index_remove(struct live_index *index, struct live_want *want); /* also one that is not in it */
/* The first that shows it, then the next ones; NULL: no more. None may be added meanwhile. */
struct live_want *live_index_find(const struct live_index *index, const struct uuid *id);
struct live_want *live_index_next(const struct live_want *want);
void live_index_free(struct live_index *index); /* those in it stay their owners' */
