/* queues: the queues of each show, with what is known of the show itself. One thread.
 *
 * A show has a round for each phase with a queue, one after the other. While one is open, the next can be
 * joined already: its places are drawn when it takes the place of the one that closes.
 *
 * queues_event takes records of `waiting`, in the order of their partition; queues_show those of `shows`. */
#pragma once

#include "admission.h"
#include "buyers.h"
#include "control.h"
#include "events.h"
#include "stock.h"
#include "table.h"

struct round {
    struct room room;
    struct uuid nonce;
    int64_t left; /* places not taken, as looked at last; -1: not known */

    /* what we have announced, in the round of that number: again it is the same, or we could choose the seed
     */
    struct uuid announced;
    int announced_in;

    /* what was due at the last look, since when, and when it was written, by the monotonic clock */
    enum control_kind due;
    int64_t due_us, wrote_us;

    /* offers.places when all offers that we wrote last have been read, and when we wrote them */
    uint32_t offered;
    int64_t offered_us;

    /* how many had missed their turn at the last look, in the round of that number */
    uint32_t missed;
    int missed_in;
};

struct queue {
    struct uuid show;
    struct phases phases; /* none when the show is not announced, or cancelled */
    int32_t version;      /* of the show */
    int32_t places;       /* of all its areas; 0: not told */
    int32_t partition;    /* of `waiting`, where its records are */
    int64_t patience_us;  /* how long another may take to write what is due before we do */
    struct round now;     /* the one that is open, or else the first that will be, or the last that was */
    struct round next;    /* while that is open, the one after it */
};

struct queues {
    struct table all;
    struct buyers buyers;              /* of orders that belong to no turn yet */
    const struct admission_keys *keys; /* of seeds */
    bool live; /* what comes has just been written: an opening is measured once, and not at each start */
};

void queues_free(struct queues *q); /* all of them; the keys stay */
struct queue *queues_find(const struct queues *q, const struct uuid *show);
/* By its number; NULL: it is not there. */
const struct round *queues_round(const struct queue *queue, int number);
bool queues_is_open(const struct queue *queue); /* so the next round may be there */
int queues_newest(const struct queue *queue);   /* the highest number of a round that there has been */

void queues_event(struct queues *q, int32_t partition, const struct waiting_event *e);
void queues_show(struct queues *q, const struct show_event *e);
void queues_bought(struct queues *q, const struct order_event *e);
/* Counts those who have bought in the turns by which they came. To be called now and then, when all topics
 * were read to their ends. */
void queues_settle(struct queues *q);

/* The seed of a round, by a key. */
void queues_seed(const struct queues *q, int key, const struct uuid *show, const struct uuid *nonce,
                 uint8_t seed[SEED_BYTES]);
