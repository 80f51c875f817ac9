/* webhooks: delivers the events of the outbox, signed as Stripe signs, on a thread of its own. Each event is
 * sent at least once: until the answer is 2xx it is sent again, each time after twice as long. All functions
 * from any thread. */
#pragma once

#include "faults.h"
#include "status.h"
#include "str.h"

struct webhooks;

struct webhooks *webhooks_new(const char *database_url, const struct faults *faults);
void webhooks_start(struct webhooks *w); /* once it has a URL; without one events count as delivered */
void webhooks_free(struct webhooks *w);  /* ends it */
/* Sets the URL; empty: nothing is sent. */
void webhooks_target(struct webhooks *w, struct str url, struct str secret);
void webhooks_wake(struct webhooks *w); /* there is a new event */
/* The header Stripe-Signature of a body: "t=...,v1=...". */
enum { SIGNATURE_TEXT = 128 };
void webhook_signature(char out[SIGNATURE_TEXT], int64_t unix_s, const char *secret, struct str body);
