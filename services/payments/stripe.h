/* stripe: makes requests to Stripe's API, from any thread and without blocking.
 *
 * A question is asked again, with the same Idempotency-Key, when the connection broke or the answer is 409,
 * 429 or 5xx, as long as there is time. Each intent that a search finds is read by its id: a search may show
 * an old state. The result is an input of the charge's rules
 * (functions/charge_rules.sql). With a pace, the caller says when a question may be asked: then one that
 * meets the limit is not asked again here. Stripe calls an attempt to pay a PaymentIntent; an intent for
 * short. */
#pragma once

#include "buf.h"
#include "fetch.h"
#include "uuid.h"

/* The version of Stripe's API that is asked for, whatever the account's default is. */
#define STRIPE_VERSION "2024-06-20"

enum stripe_question {
    STRIPE_CREATE,  /* an intent, confirmed at once */
    STRIPE_LOOK,    /* how an intent stands */
    STRIPE_FIND,    /* which intents an order has */
    STRIPE_CANCEL,  /* an intent */
    STRIPE_REFUND,  /* all of it */
    STRIPE_REFUNDS, /* which refunds an intent has */
};
bool stripe_question_parse(struct str text, enum stripe_question *out); /* "create" ... */

enum {
    STRIPE_TOKEN_MAX = 255,
    STRIPE_ID_MAX = 255,
    STRIPE_BRAND_MAX = 40,
    STRIPE_FINGERPRINT_MAX = 64,
    STRIPE_EMAIL_MAX = 254,
    STRIPE_ADDRESS_MAX = 45
};

struct stripe_ask {
    enum stripe_question question;
    struct uuid order, charge;
    int attempt;
    /* create */
    char token[STRIPE_TOKEN_MAX + 1]; /* a payment method (pm_...), or an old-style token (tok_...) */
    int64_t amount;                   /* in minor units; also of refunds */
    char currency[4];
    struct uuid user;                     /* this and the next: what it is told for its own defence */
    char address[STRIPE_ADDRESS_MAX + 1]; /* "": not known */
    char email[STRIPE_EMAIL_MAX + 1];     /* likewise */
    bool wary;                            /* whose card is looked at first */
    /* the others, but find */
    char intent[STRIPE_ID_MAX + 1];
    int tries;           /* refund: each has a key of its own */
    int64_t sent_ago_ms; /* find: since the attempt was last asked for */
};

/* What an answer of Stripe means for a charge. */
struct stripe_result {
    const char *input;       /* of the rules; NULL: it is not known what became of it */
    struct str intent;       /* may be empty */
    struct str reason;       /* declined, refund_failed: Stripe's code */
    struct str secret;       /* requires_action: what the buyer's browser confirms with */
    struct str action;       /* requires_action: what it has to do, as JSON */
    struct str brand, last4; /* of the card; empty: not known, or it is none */
    struct str fingerprint;  /* declined: Stripe's name for the card's number; empty: likewise */
    const char *error;       /* not known: why, for the log */
    bool again;              /* not known: worth another try */
    bool limited;            /* there were too many requests; `after_s`: how long Stripe wants none */
    int after_s;
    const struct json_t *found; /* find: all intents of the order, an array; else NULL. Of stripe_answer_read:
                                   as the search shows them, which may be older than they are */
};

/* Whether a card is not to be charged, by its fingerprint. On the same thread as stripe_done. */
typedef bool stripe_refuses(void *ctx, struct str fingerprint);

/* Called once, on a thread of its own; result lives during the call. */
typedef void stripe_done(void *ctx, const struct stripe_ask *ask, const struct stripe_result *result);

struct stripe_options {
    const char *url, *key;
    int timeout_ms; /* of a question with all its tries */
    int connections;
    bool paced;
    stripe_refuses *refuses; /* of those who are wary; NULL: no card is refused */
    void *refuses_ctx;
};

struct stripe;
struct stripe *stripe_start(const struct stripe_options *options);
void stripe_ask(struct stripe *s, const struct stripe_ask *ask, stripe_done *done, void *ctx);
int stripe_waiting(const struct stripe *s); /* questions without an answer */
/* Requests made beyond one a question, since it was last called: to create, or all others. Any thread. */
int stripe_extra(struct stripe *s, bool creates);
void stripe_free(struct stripe *s); /* questions without an answer end as not known */

/* --- the parts, for tests --- */
struct stripe_request {
    const char *method;
    char path[400];
    struct buf body;
    char idempotency_key[STRIPE_ID_MAX + 32]; /* "": none */
};
void stripe_request_make(const struct stripe_ask *ask, struct stripe_request *out);
void stripe_card_request_make(const struct stripe_ask *ask,
                              struct stripe_request *out); /* a wary one's first */
/* What an answer means. result's strs are in *keep, which the caller json_decrefs. */
struct json_t;
void stripe_answer_read(const struct stripe_ask *ask, int code, struct str body, struct stripe_result *result,
                        struct json_t **keep);
/* The fingerprint in the answer to stripe_card_request_make; empty: it tells none. */
struct str stripe_card_read(int code, struct str body, struct json_t **keep);
/* What the intents of an order, an array, mean for the attempt that is asked about. */
void stripe_found_read(const struct stripe_ask *ask, const struct json_t *intents,
                       struct stripe_result *result);
/* The input that an intent's state is; NULL: none that we know. Fills result from the intent. */
const char *stripe_intent_read(const struct json_t *intent, struct stripe_result *result);
/* Whose intent or refund it is stands in the metadata that we gave it. attempt may be NULL. */
bool stripe_metadata_read(const struct json_t *object, struct uuid *order, int *attempt);
/* Stripe's count of what we count in the currency's minor unit. */
int64_t stripe_amount(int64_t minor, const char *currency);
