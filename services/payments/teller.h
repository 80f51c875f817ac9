/* teller: carries what is due to Stripe, and writes down what Stripe says. A thread with a connection of its
 * own.
 *
 * One path for everything: a request that began an attempt gives it to the teller; what nobody asks about
 * (after a crash, after Stripe did not answer, a refund, a cancellation) the teller finds in the database by
 * itself, at its start and every second. Whatever Stripe says meanwhile is written by one statement, in one
 * transaction with its events. */
#pragma once

#include "charge.h"
#include "http.h"
#include "stripe.h"

struct teller;

struct teller_options {
    const char *database_url;
    struct stripe_options stripe;
};

/* charge lives during the call; NULL: what became of it is not known yet. stripe_us: how long Stripe took. */
typedef void teller_told(struct req *rq, const struct charge *charge, int64_t stripe_us);

struct teller *teller_start(const struct teller_options *options);
/* From the request's thread; told is called on it. */
void teller_ask(struct teller *t, const struct stripe_ask *ask, struct req *rq, teller_told *told);
/* Something is due now: from any thread. */
void teller_wake(struct teller *t);
/* What Stripe has said is written; what it has not said yet is left to the next start. */
void teller_free(struct teller *t);
