/* routes: the HTTP side of payments, as a table. */
#pragma once

#include "charge_worker.h"
#include "http.h"
#include "signature.h"

struct payments {
    int64_t max_attempts, failed_a_day, failed_from_network, failed_by_card, failed_of_seller,
        stripe_timeout_ms, stripe_rate;
    struct signature_secrets webhook_secrets; /* none: webhooks are refused */
    struct charge_worker *worker;
};

extern const struct route payments_routes[];
req_handler post_webhook; /* webhook.c */
