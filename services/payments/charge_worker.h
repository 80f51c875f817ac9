/* charge_worker: asks Stripe what charges need, and writes its answers. A thread with a connection of its
 * own.
 *
 * There is one path for everything. A request that began an attempt hands its question to the worker. What no
 * request asks (after a crash, after Stripe did not answer, a refund, a cancellation) the worker finds in the
 * database, at its start and every second. All answers that came meanwhile are written by one statement, in
 * one transaction with their events. */
#pragma once

#include "charge.h"
#include "http.h"
#include "stripe.h"

struct charge_worker;

struct charge_worker_options {
    const char *database_url;
    struct stripe_options stripe;
};

/* charge lives during the call; NULL: what became of it is not known yet. stripe_us: how long Stripe took. */
typedef void charge_worker_done(struct req *rq, const struct charge *charge, int64_t stripe_us);

struct charge_worker *charge_worker_start(const struct charge_worker_options *options);
/* From the request's thread; done is called on it. */
void charge_worker_ask(struct charge_worker *worker, const struct stripe_ask *ask, struct req *rq,
                       charge_worker_done *done);
/* There is something to ask Stripe now: from any thread. */
void charge_worker_wake(struct charge_worker *worker);
/* Answers that have come are written; what has no answer yet is asked again at the next start. */
void charge_worker_free(struct charge_worker *worker);
