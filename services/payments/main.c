/* payments: charges purchases, each once, and gives the money back of those that ended. */
#include "events.h"
#include "queries.h"
#include "reactions.h"
#include "routes.h"
#include "service.h"

static struct payments payments;
static const char *stripe_url, *secret_key, *webhook_secrets;
static int64_t connections, search_lag_ms;

static const struct config_var payments_config[] = {
    {"STRIPE_URL", CONFIG_TEXT, &stripe_url, "https://api.stripe.com", "Where Stripe's API is", 0, 0},
    {"STRIPE_SECRET_KEY", CONFIG_SECRET, &secret_key, NULL, "The account's secret key (sk_...)", 0, 0},
    {"STRIPE_WEBHOOK_SECRETS", CONFIG_SECRET, &webhook_secrets, NULL,
     "Secrets that webhooks are signed by (whsec_...): one, or two separated by a comma while they are exchanged",
     0, 0},
    {"STRIPE_TIMEOUT", CONFIG_DURATION, &payments.stripe_timeout_ms, "10s",
     "How long Stripe may take to answer, with repetitions, before the response is 503", 100, 80000},
    {"STRIPE_CONNECTIONS", CONFIG_INT, &connections, "256", "Most requests to Stripe at a time", 1, 10000},
    {"STRIPE_RATE", CONFIG_INT, &payments.stripe_rate, "0",
     "Most requests to Stripe a second, over all replicas: payments beyond it wait in line; 0: no limit", 0,
     100000},
    {"STRIPE_SEARCH_LAG", CONFIG_DURATION, &search_lag_ms, "1h",
     "How long Stripe's search may take to find a new payment; only after that is there certainly none", 0,
     24 * 3600 * 1000},
    {"PAYMENT_MAX_ATTEMPTS", CONFIG_INT, &payments.max_attempts, "3",
     "Payments that a buyer may try for an order; the last one that fails ends it", 1, 100},
    {"PAYMENT_FAILURES", CONFIG_INT, &payments.failed_a_day, "10",
     "Payments of a person that may come to nothing within a day, over all orders; 0: any number", 0, 100000},
    {"PAYMENT_FAILURES_PER_ADDRESS", CONFIG_INT, &payments.failed_from_network, "50",
     "Payments from an IPv4 address or IPv6 /64 that may be declined within a day; twice as many of a /56, four times of a /48; 0: any number",
     0, 100000},
    {"PAYMENT_FAILURES_PER_CARD", CONFIG_INT, &payments.failed_by_card, "20",
     "Payments by a card that may be declined within a day, whoever tries it; 0: any number", 0, 100000},
    {"PAYMENT_FAILURES_PER_SELLER", CONFIG_INT, &payments.failed_of_seller, "100",
     "Payments for a seller's tickets that may be declined within an hour, if more than are made: beyond them a fifth of PAYMENT_FAILURES and PAYMENT_FAILURES_PER_ADDRESS is allowed there; 0: any number",
     0, 1000000},
    {0},
};

static enum status start(const struct settings *settings, void **state, struct session_keys **keys,
                         struct why *w) {
    (void)keys;
    if (!signature_secrets_parse(webhook_secrets, &payments.webhook_secrets))
        return why(w, ST_INVALID, "STRIPE_WEBHOOK_SECRETS: must be one secret, or two separated by a comma");
    payments.worker = charge_worker_start(&(struct charge_worker_options){
        .database_url = settings->database_url,
        .stripe = {.url = stripe_url,
                   .key = secret_key,
                   .timeout_ms = (int)payments.stripe_timeout_ms,
                   .connections = (int)connections,
                   .paced = payments.stripe_rate > 0},
        .rate = payments.stripe_rate,
        .search_lag_ms = search_lag_ms,
        .card_most = payments.failed_by_card,
    });
    *state = &payments;
    return ST_OK;
}

static void stop(void *state) {
    (void)state;
    charge_worker_free(payments.worker);
}

/* write_charges.sql tells of a payment since when it waits. */
static const struct publisher_log payments_logs[] = {
    {.table = "payment_events", .topic = &topic_payments, .early_ms = 10000},
    {0},
};

int main(int argc, char **argv) {
    return service_main(argc, argv,
                        &(struct service){
                            .name = "payments",
                            .config = payments_config,
                            .schema = &payments_schema,
                            .statements = payments_statements,
                            .routes = payments_routes,
                            .publishes = payments_logs,
                            .audit = &topic_payments_audit,
                            .reactions = payments_reactions,
                            .gather_ms = 20,
                            .start = start,
                            .stop = stop,
                        });
}
