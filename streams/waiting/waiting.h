/* waiting: the thread that has the queues of all shows. It reads the topics `waiting`, `shows`, `stock` and
 * `orders` whole and `load` from now on, writes to `waiting`, and answers what the HTTP threads ask. No
 * database: all state comes from the topics, and each replica has all of it.
 *
 * What is due in a queue is written by whoever wrote there last. A replica that sees it due for some time and
 * not written does so itself (control.h says why that does no harm). Before all topics were read to
 * their ends it neither answers nor writes, nor after a pause or the loss of Kafka until they were again. */
#pragma once

#include "inbox.h"
#include "service.h"
#include "uuid.h"

enum ask_kind { ASK_JOIN, ASK_PLACE, ASK_NUMBERS };

enum ask_result {
    ASK_DONE,
    ASK_NO_QUEUE,      /* of this show */
    ASK_NOT_JOINED,    /* ASK_PLACE */
    ASK_CHALLENGE,     /* ASK_JOIN: what he sent does not meet it */
    ASK_CODE_REQUIRED, /* ASK_JOIN: of somebody who has not spent one */
    ASK_AWAY,          /* Kafka does not take it, or the topics have not been read to their ends yet */
};

/* A question of a request, whose memory it is; the thread has it until it calls `answered`. */
struct ask {
    struct inbox_item item;
    enum ask_kind kind;
    struct uuid show, user;
    bool next;                         /* the round after the one that is open */
    struct str proof;                  /* ASK_JOIN: that he has met the challenge */
    bool has_code;                     /* ASK_JOIN: he has spent one */
    int want;                          /* ASK_JOIN: places, 1 to 8; 0: he does not say */
    bool again;                        /* ASK_JOIN: he had joined, and wants another number */
    void (*answered)(struct ask *ask); /* on the waiting thread */

    int round;          /* ASK_JOIN: that he joins */
    int64_t written_us; /* ASK_JOIN: when Kafka had it, by the monotonic clock */
    enum ask_result result;
    struct ask_answer {
        bool open;
        uint32_t people, serving, place; /* place: 0 before the opening */
        int64_t left;                    /* -1: not known */
        int64_t opens_us, closes_us;
        bool sold_out;
        uint32_t offered;  /* the last place that something was offered to; 0: nothing was */
        uint32_t waitlist; /* his number on the waiting list; 0: he is not on it */
        int want;          /* 0: he did not say */
        bool has_turn, has_offer;
        bool taken;       /* he has bought by an admission for one purchase */
        int64_t until_us; /* of an offer, or else of a turn */
        double pace;      /* people a second */
        uint8_t seed_hash[32], seed[32];
    } answer;
};

struct admission_keys;
struct demand_slot;
struct waiting;

/* NULL: a Kafka property is wrong. The keys of seeds, and what it counts in, outlive it. */
struct waiting *waiting_new(const struct admission_keys *seeds, const struct demand_slot *demand,
                            const struct stream_options *options, struct why *w);
void waiting_start(struct waiting *x);
void waiting_ask(struct waiting *x, struct ask *ask); /* from any thread, until waiting_stop */
bool waiting_ready(void *waiting, struct why *w);
/* Answers all that is left, ends the thread, and frees. */
void waiting_stop(void *waiting, int timeout_ms);
