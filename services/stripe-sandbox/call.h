/* call: a request to Stripe's API, from its key to its answer.
 *
 * call_post and call_get check the key, read the parameters, make the faults happen that are set, wait half
 * of the latency, and look up the idempotency key and the payment intent in one round trip. Then they call
 * the handler's function, which decides from what was read, without side effects, and ends in one of the
 * call_ functions below. Those that change something commit the answer, the change and the event in one
 * statement. If another request changed the intent meanwhile, the function is called again. All on the
 * request's thread. */
#pragma once

#include "faults.h"
#include "form.h"
#include "http.h"
#include "keys.h"
#include "objects.h"

struct webhooks;

struct sandbox { /* the service's state */
    const char *secret_key, *database_url, *webhook_url, *webhook_secret;
    struct objects_options objects;
    struct faults faults;
    struct keys *keys;
    struct webhooks *webhooks;
};

struct call;
typedef void call_decide(struct call *c);

struct call {
    struct req *rq;
    struct sandbox *sandbox;
    call_decide *decide;
    const char *path; /* of the route */
    struct form form;
    char request[ID_TEXT];
    struct str key; /* empty: none */
    struct key_hold hold;
    unsigned char fingerprint[32];
    int tries;
    struct str intent_id; /* empty: it is about none */
    struct str wanted;    /* the id of something else */
    bool found;           /* then intent is it */
    struct intent intent;
    bool page;                      /* a browser's: nothing goes wrong on purpose */
    bool passed;                    /* 3-D Secure */
    void (*finish)(struct call *c); /* answers what was committed; NULL: the API's answer is it */
    int status;                     /* the answer */
    struct str body, original;
    enum { FATE_OPEN, FATE_GOOD, FATE_KEPT, FATE_AFTER } fate; /* whether its commit answers 500 */
};

/* What is changed, beside the answer. */
struct act {
    const struct intent *intent; /* as it is to be; version one more than it was */
    const struct refund
        *refund;       /* NULL, or what of the intent was refunded: then nothing else of it changes */
    const char *event; /* its type; NULL: none */
    struct str object; /* that the event is about */
};

/* params: the names it takes, NULL at the end; "metadata[" takes all that begin so. intent_id: of the path;
 * when it is empty, that of the parameter payment_intent. */
void call_post(struct req *rq, const char *path, const char *const *params, struct str intent_id,
               call_decide *decide);
/* intent_id, or else what else is wanted. */
void call_get(struct req *rq, const char *path, struct str intent_id, struct str wanted, call_decide *decide);
/* Reads the intent of a row into c->intent; the columns are those of sql/look.sql. */
void call_read_intent(struct call *c, const struct rows *rows, int row);
/* A browser's: no key is needed, nothing goes wrong on purpose. finish may be NULL. */
void call_page(struct req *rq, struct str intent_id, bool passed, call_decide *decide, call_decide *finish);
struct call *call_of(struct req *rq);

/* --- a decision ends in one of these --- */
void call_refuse(struct call *c, int status, const struct problem *problem); /* nothing is kept */
void call_refuse_missing(struct call *c, const char *what, const char *param, struct str id); /* 404 */
void call_reply(struct call *c, int status, struct str body); /* nothing is kept */
/* The answer is kept for the key, and the change made. */
void call_commit(struct call *c, int status, struct str body, const struct act *act);

/* --- what decisions are made of --- */
struct str call_take(struct call *c, struct json *json); /* what was written, in the request's arena */
bool call_param(const struct call *c, const char *name,
                struct str *out); /* an empty one counts as not given */
