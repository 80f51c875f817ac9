/* webhook: reads an event of Stripe. Any thread. */
#pragma once

#include "stripe.h"

enum { EVENT_ID_MAX = 255 };

enum webhook_kind {
    WEBHOOK_OTHER,   /* not for us */
    WEBHOOK_ATTEMPT, /* what became of an attempt of ours */
    WEBHOOK_REFUND,  /* something about the refunds of an intent */
    WEBHOOK_DISPUTE
};

struct webhook {
    struct str id;
    enum webhook_kind kind; /* says which of these are set */
    struct uuid order;      /* attempt; refund: if has_order */
    bool has_order;
    int attempt;
    struct stripe_result result; /* attempt */
    struct str intent;           /* refund, dispute */
    struct {
        struct str id, status, currency, reason;
        int64_t amount;
        bool closed;
    } dispute;
};

/* NULL, or what is wrong with it. strs live as long as root. */
const char *webhook_read(const struct json_t *root, struct webhook *out);
