/* webhook: reads an event of Stripe. Any thread. */
#pragma once

#include "stripe.h"

enum { EVENT_ID_MAX = 255 };

struct webhook {
    struct str id;
    bool ours; /* about an attempt of ours: then what follows is set */
    struct uuid order;
    int attempt;
    struct stripe_result result;
};

/* NULL, or what is wrong with it. strs live as long as root. */
const char *webhook_read(const struct json_t *root, struct webhook *out);
