#include "routes.h"

#include "control.h"
#include "intents.h"
#include "outside.h"
#include "refunds.h"
#include "threeds.h"

const struct route sandbox_routes[] = {
    {"POST", "/v1/payment_intents", post_intent, 0},
    {"GET", "/v1/payment_intents/search", search_intents, 0},
    {"GET", "/v1/payment_intents/{text}", get_intent, 0},
    {"POST", "/v1/payment_intents/{text}/confirm", post_confirm, 0},
    {"POST", "/v1/payment_intents/{text}/cancel", post_cancel, 0},
    {"GET", "/v1/payment_methods/{text}", get_method, 0},
    {"GET", "/v1/tokens/{text}", get_token, 0},
    {"POST", "/v1/refunds", post_refund, 0},
    {"GET", "/v1/refunds", list_refunds, 0},
    {"GET", "/v1/refunds/{text}", get_refund, 0},
    {"GET", "/sandbox/3ds/{text}", get_threeds, 0},
    {"POST", "/sandbox/3ds/{text}", post_threeds, 0},
    {"GET", "/sandbox/settings", get_settings, 0},
    {"POST", "/sandbox/settings", post_settings, 0},
    {"DELETE", "/sandbox/settings", delete_settings, 0},
    {"GET", "/sandbox/ledger", get_ledger, 0},
    {"POST", "/sandbox/clock", post_clock, 0},
    {"POST", "/sandbox/refunds/{text}", post_settle, 0},
    {"POST", "/sandbox/disputes/{text}", post_dispute, 0},
    {0},
};
