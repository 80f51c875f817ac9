/* live_tap: a thread that reads the topics for the live pages: all partitions, in a group of its own. It
 * alone uses the live_view.
 *
 * It begins some minutes back, for pages that come back after a restart. Each HTTP thread gets what it reads,
 * in batches. A question is answered after the batches that came before it. */
#pragma once

#include "inbox.h"
#include "live_index.h"
#include "live_view.h"
#include "status.h"

/* The same for all threads; reference-counted. */
struct live_batch {
    _Atomic int refs;
    const struct live_item **items; /* in the order in which they were said */
    size_t count;
    int listed; /* tickets that are new */
    size_t place_n;
    char place[]; /* where the topics were read up to, with it */
};

void live_batch_unref(struct live_batch *batch);

/* The question of a stream that begins. It belongs to the stream; the tap uses it until it has called
 * `answer`. */
struct live_question {
    struct inbox_item item;
    struct live_want *wants;
    int count;
    struct str since;
    const struct live_item **found; /* of each want, or NULL; counted references */
    bool reached;                   /* what was not found has not changed since then */
    enum status st;                 /* ST_AGAIN: not yet */
    int64_t asked_us;
    void (*answer)(struct live_question *q); /* on the tap's thread, or at the end on the one that stops it */
};

struct live_tap_options {
    const char *brokers, *registry_url;
    size_t items;
    /* Hands a batch to each HTTP thread. Takes references of its own. */
    void (*tell)(void *arg, struct live_batch *batch);
    bool (*busy)(void *arg); /* true: the HTTP threads have not caught up, the next batch waits */
    void *arg;
};

struct live_tap;
struct live_tap *live_tap_new(const struct live_tap_options *options, struct why *w);
void live_tap_start(struct live_tap *tap);
void live_tap_ask(struct live_tap *tap, struct live_question *q); /* from any thread */
/* Answers all questions that are left, ends the thread, and frees. */
void live_tap_stop(struct live_tap *tap);
