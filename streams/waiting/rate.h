/* rate: how many people a second may come in, from all queues together: what the processes of orders say of
 * themselves on the topic `load` decides. The times are given, so it is plain arithmetic. One thread.
 *
 * It begins at a tenth of the most, and doubles every RATE_DOUBLE_S while half of those who come in buy,
 * until orders has once had too much to do: so it finds out what orders bears. The nearer the p99 is to what
 * it may be, the slower, so that it does not come far beyond that. While nobody waits to come in it does not
 * grow, and after RATE_REST_S it goes back to a tenth, or to three quarters of what orders is known to bear.
 * Else, while orders bears it, it grows the longer the faster: after RATE_CALM_S seconds by a twentieth of
 * the most each second, or an eighth of itself if that is less. When a process is overloaded it falls at
 * once, to three quarters of what orders has just placed a second, which is what it can bear; by a quarter at
 * least and a half at most. What is in line then has to be done: for RATE_SETTLE_S, and as long as the line
 * gets shorter by a tenth a second, the rate stays. Up to three quarters of what orders bore it comes back at
 * once, and beyond that slowly. Slowness alone does not bring it below a tenth of the most: it may have other
 * reasons than people.
 *
 * A process has said nothing for RATE_SILENCE_S: what it placed is taken off. Nobody says anything, or not
 * yet: the rate is a tenth of the most, at most. It is never less than one, so that there is something to
 * measure. */
#pragma once

#include "events.h"

enum {
    RATE_DOUBLE_S = 2,
    RATE_CALM_S = 20,
    RATE_SETTLE_S = 2,
    RATE_SILENCE_S = 3,
    RATE_REST_S = 60,
    RATE_LOW = 10
};

struct rate_settings {
    int64_t most;     /* people a second */
    int64_t p99_ms;   /* that placing takes at most, unless orders has too much to do */
    int64_t payments; /* requests to Stripe a second; 0: no limit */
};

/* What holds the rate down. */
enum rate_limit { RATE_BY_SETTING, RATE_BY_PAYMENTS, RATE_BY_ORDERS, RATE_BY_SILENCE };

/* A process of orders, as it said last. */
struct rate_process {
    struct uuid instance;
    int64_t heard_us;
    double placed;   /* a second */
    double slowness; /* its p99, of what that may be */
    int32_t waiting; /* requests */
    bool stands;     /* requests wait and none was answered */
    bool drains;     /* it is slow, and its line got shorter by a tenth */
};

struct rate {
    double people;              /* a second; 0: not looked at yet */
    bool slow, refuses;         /* a process is, or does, as it said since the last look */
    double borne;               /* what orders placed a second when it had too much to do; 0: not known */
    int64_t calm_us;            /* since when nothing is wrong */
    int64_t used_us;            /* when somebody waited to come in */
    int64_t looked_us, fell_us; /* the last look; the last fall, 0: none */
    struct rate_process *processes;
    int count;
};

void rate_free(struct rate *r);
/* What a process says of itself; the time is when it was read. */
void rate_hear(struct rate *r, const struct rate_settings *settings, const struct load_event *e,
               int64_t now_us);
/* To be called some times a second. used: somebody waits to come in. */
void rate_look(struct rate *r, const struct rate_settings *settings, bool used, int64_t now_us);
/* What the settings alone allow: the most, and what payments can pay. */
int64_t rate_top(const struct rate_settings *settings);
enum rate_limit rate_limited_by(const struct rate *r, const struct rate_settings *settings);
