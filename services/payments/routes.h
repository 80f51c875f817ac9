/* routes: the HTTP side of payments. */
#pragma once

#include "http.h"
#include "signature.h"
#include "teller.h"

struct payments {
    int64_t max_attempts, stripe_timeout_ms;
    struct signature_secrets webhook_secrets; /* none: webhooks are refused */
    struct teller *teller;
};

extern const struct route payments_routes[];
req_handler post_webhook; /* webhook.c */
