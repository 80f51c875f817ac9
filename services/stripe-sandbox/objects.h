/* objects: Stripe's objects as JSON, in the shapes of its API: payment intents, charges, refunds, events,
 * errors. Pure; any thread. */
#pragma once

#include "cards.h"
#include "json.h"

#define API_VERSION "2024-06-20" /* of the events; answers name the version that the request named */

enum intent_flags {
    INTENT_AUTOMATIC = 1,    /* automatic_payment_methods[enabled] */
    INTENT_NO_REDIRECTS = 2, /* automatic_payment_methods[allow_redirects]=never */
    INTENT_DISPUTED = 4
};

enum { ID_TEXT = 40 }; /* pi_, ch_, re_, evt_, req_ and 32 hex digits, terminated */

/* The strs belong to whoever made it; an empty one is null. */
struct intent {
    struct str id;
    int version;
    int64_t created_us, amount;
    struct str currency, status, payment_method, charge;
    const struct failure *failure;
    int64_t received, refunded;
    struct str metadata; /* a JSON object */
    struct str description, return_url;
    int flags;
    int64_t canceled_us; /* 0: not */
    struct str cancel_reason;
};

struct refund {
    struct str id, intent, charge;
    int64_t created_us, amount;
    struct str currency, reason, metadata;
    struct str status, failure; /* failure: why it failed; empty unless it did */
};

struct dispute {
    struct str id, intent, charge;
    int64_t created_us, amount;
    struct str currency, status; /* needs_response, won, lost */
};

/* What is wrong, as {"error":{...}}. */
struct problem {
    const char *type, *code;     /* code may be NULL */
    const char *param;           /* or NULL */
    const char *message;         /* NULL: it is the intent's failure */
    const struct intent *intent; /* or NULL */
};

struct objects_options {
    const char *public_url; /* where browsers reach this process */
};

void object_new_id(char out[ID_TEXT], const char *prefix); /* ascending */

/* with_method: the payment method as a whole, not its id alone. */
void object_write_intent(struct json *out, const struct intent *intent, bool with_method,
                         const struct objects_options *options);
void object_write_method(struct json *out, struct str method, int64_t created_us);
void object_write_token(struct json *out, struct str token, int64_t created_us);
void object_write_charge(struct json *out, const struct intent *intent);
void object_write_refund(struct json *out, const struct refund *refund);
void object_write_dispute(struct json *out, const struct dispute *dispute);
void object_write_problem(struct json *out, const struct problem *problem,
                          const struct objects_options *options);
/* The event around an object. request and key: what caused it. */
void object_write_event(struct json *out, const char *id, const char *type, int64_t created_us,
                        struct str object, struct str request, struct str key);
