/* Asks whoever answers at the URL given all that payments ever asks Stripe; prints what it made of each
 * answer. */
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "stripe.h"

static void on_result(void *ctx, const struct stripe_ask *ask, const struct stripe_result *result) {
    printf("%d %s\n", (int)ask->question, result->input != NULL ? result->input : result->error);
    sem_post(ctx);
}

static bool refuses(void *ctx, struct str fingerprint) {
    (void)ctx;
    return fingerprint.n > 0;
}

int main(int argc, char **argv) {
    if (argc != 2) return 64;
    static const struct stripe_ask asks[] = {
        {.question = STRIPE_CREATE,
         .attempt = 1,
         .token = "pm_card_visa",
         .amount = 2050,
         .currency = "USD",
         .address = "203.0.113.7",
         .email = "b@example.com"},
        {.question = STRIPE_CREATE, .attempt = 2, .token = "tok_visa", .amount = 1500, .currency = "JPY"},
        {.question = STRIPE_LOOK, .attempt = 1, .intent = "pi_123"},
        {.question = STRIPE_CANCEL, .attempt = 1, .intent = "pi_123"},
        {.question = STRIPE_REFUND, .attempt = 1, .intent = "pi_123", .tries = 1},
        {.question = STRIPE_REFUNDS, .attempt = 1, .intent = "pi_123"},
        {.question = STRIPE_FIND, .attempt = 1},
        {.question = STRIPE_CREATE,
         .attempt = 3,
         .token = "pm_card_visa",
         .amount = 2050,
         .currency = "USD",
         .wary = true},
        {.question = STRIPE_CREATE,
         .attempt = 4,
         .token = "tok_visa",
         .amount = 2050,
         .currency = "USD",
         .wary = true},
    };
    log_setup("stripe_driver", LOG_ERROR);
    struct stripe *s = stripe_start(&(struct stripe_options){
        .url = argv[1], .key = "sk_test_123", .timeout_ms = 20000, .connections = 1, .refuses = refuses});
    sem_t done;
    sem_init(&done, 0, 0);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        stripe_ask(s, &asks[i], on_result, &done);
        sem_wait(&done);
    }
    stripe_free(s);
    return 0;
}
