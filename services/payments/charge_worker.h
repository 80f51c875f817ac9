/* charge_worker: makes the requests to Stripe that charges need, and writes the answers. A thread with a
 * connection to Postgres of its own.
 *
 * A route that began an attempt gives its question to the worker. All other questions (after a crash, after
 * no answer of Stripe, a refund, a cancellation) the worker finds in the database, when it starts and every
 * second. With a limit (`rate`) it finds all of them there, and asks as many as functions/take_turns.sql lets
 * all replicas together. All answers that have come are written by one statement, in one transaction with
 * their events. */
#pragma once

#include "charge.h"
#include "http.h"
#include "stripe.h"

struct charge_worker;

struct charge_worker_options {
    const char *database_url;
    struct stripe_options stripe;
    int64_t rate;          /* requests a second, of all replicas; 0: without a limit */
    int64_t search_lag_ms; /* how long Stripe's search may take to find a new intent */
    int64_t card_most;     /* times that a card may be declined within a day; 0: any number */
};

/* charge lives during the call; NULL: what became of it is not known yet. stripe_us: how long Stripe took. */
typedef void charge_worker_done(struct req *rq, const struct charge *charge, int64_t stripe_us);

struct charge_worker *charge_worker_start(const struct charge_worker_options *options);
/* From the request's thread; done is called on it. */
void charge_worker_ask(struct charge_worker *worker, const struct stripe_ask *ask, struct req *rq,
                       charge_worker_done *done);
/* Whether any card is refused now: then the asks of those near whom something was declined are to be wary.
 * From any thread. */
bool charge_worker_refuses_cards(const struct charge_worker *worker);
/* Looks for due charges now, not in a second. From any thread. */
void charge_worker_wake(struct charge_worker *worker);
/* Answers that have come are written; what has no answer yet is asked again at the next start. */
void charge_worker_free(struct charge_worker *worker);
