/* control: what is to be written of a room at this moment, by whoever leads it. No state, no Kafka: any
 * thread.
 *
 * What is written are absolute values that follow from the topic, the clock and the keys alone. So two
 * replicas that write at the same time write the same, or one of them something that counts no more: there is
 * no harm in two leaders, and nothing to elect. */
#pragma once

#include "phases.h"
#include "room.h"

enum control_kind {
    CONTROL_NOTHING,
    CONTROL_ANNOUNCE,
    CONTROL_OPEN,
    CONTROL_SERVE,
    CONTROL_SELL_OUT,
    CONTROL_OFFER,
    CONTROL_CLOSE
};

struct control_settings {
    int64_t rate;       /* people a second */
    int64_t time_ms;    /* that each has to buy */
    int64_t offer_ms;   /* that each has to take what he is offered */
    int64_t ahead_ms;   /* how long before its opening a queue can be joined */
    int64_t between_ms; /* from one turn to the next */
};

struct control {
    enum control_kind kind;
    int round;
    int64_t opens_us, closes_us; /* CONTROL_ANNOUNCE */
    uint32_t serving;            /* CONTROL_SERVE, and the next */
    int64_t until_us;            /* CONTROL_OFFER, too */
    uint32_t most;               /* CONTROL_OFFER: people, of whom there is one at least */
    int64_t places;              /* CONTROL_OFFER: that may be offered */
};

/* phase: phases_next; NULL: none. left: places not taken; -1: not known. */
struct control control_due(const struct room *r, const struct phase *phase, int64_t left,
                           const struct control_settings *settings, int64_t now_us);
/* How many a second come in, by the last minute; the setting when nobody has yet. */
double control_pace(const struct room *r, const struct control_settings *settings, int64_t now_us);
