/* queues: the queue of each show, with what is known of the show itself. One thread.
 *
 * queues_event takes records of `waiting`, in the order of their partition; queues_show those of `shows`. */
#pragma once

#include "admission.h"
#include "buyers.h"
#include "control.h"
#include "events.h"
#include "stock.h"
#include "table.h"

struct queue {
    struct uuid show;
    struct room room;
    struct phases phases; /* none when the show is not announced, or cancelled */
    int32_t version;      /* of the show */
    struct uuid nonce;    /* of the round */
    int32_t partition;    /* of `waiting`, where its records are */
    int64_t left;         /* places not taken, as looked at last; -1: not known */

    /* what was due at the last look, since when, and when it was written, by the monotonic clock */
    enum control_kind due;
    int64_t due_us, wrote_us;
    int64_t patience_us; /* how long another may take to write it before we do */
};

struct queues {
    struct table all;
    struct buyers buyers; /* of orders that belong to no turn yet */
    const struct admission_keys *keys; /* of seeds */
};

void queues_free(struct queues *q); /* all of them; the keys stay */
struct queue *queues_find(const struct queues *q, const struct uuid *show);

void queues_event(struct queues *q, int32_t partition, const struct waiting_event *e);
void queues_show(struct queues *q, const struct show_event *e);
void queues_bought(struct queues *q, const struct order_event *e);
/* Counts those who have bought in the turns by which they came. To be called now and then, when all topics
 * were read to their ends. */
void queues_settle(struct queues *q);

/* The seed of a round, by a key. */
void queues_seed(const struct queues *q, int key, const struct uuid *show, const struct uuid *nonce,
                 uint8_t seed[SEED_BYTES]);
