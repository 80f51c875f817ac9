/* Asking: the requests, and when they are tried again. */
#include "stripe.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "backoff.h"
#include "clock.h"
#include "form.h"
#include "log.h"
#include "mem.h"
#include "stripe_metrics.h"

enum {
    TRIES = 4,
    FIRST_PAUSE_MS = 100, /* before the second try; then twice that, and so on */
    MOST_ASKED_S = 86400, /* nobody waits as long */
    CONNECT_TIMEOUT_MS = 3000,
    CARD_MS = 1500,           /* for a look at the card: less than until a charge is taken up by others */
    MAX_ANSWER = 1024 * 1024, /* an intent is some kilobytes */
    MOST_FOUND = 100,         /* intents of an order, refunds of an intent */
};

struct stripe {
    char *url; /* without a slash at the end */
    char *authorization;
    int timeout_ms;
    bool paced;
    stripe_refuses *refuses;
    void *refuses_ctx;
    _Atomic int extra[2]; /* by whether they create */
    struct fetch *fetch;
};

struct call {
    struct stripe *stripe;
    struct stripe_ask ask;
    stripe_done *done;
    void *ctx;
    struct stripe_request request;
    bool looks_at_card; /* and creates only then */
    int tries, sent;
    int64_t began_us, deadline_us;
    json_t *found; /* find: what the search shows; NULL: it has not answered yet */
    size_t read;   /* of these, as they are now */
};

/* --- the requests --- */

static const char *const questions[] = {
    [STRIPE_CREATE] = "create", [STRIPE_LOOK] = "look",     [STRIPE_FIND] = "find",
    [STRIPE_CANCEL] = "cancel", [STRIPE_REFUND] = "refund", [STRIPE_REFUNDS] = "refunds"};

bool stripe_question_parse(struct str text, enum stripe_question *out) {
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (str_eq(text, str_of(questions[i]))) {
            *out = (enum stripe_question)i;
            return true;
        }
    return false;
}

static void put_uuid_text(struct buf *out, const char *key, const struct uuid *id) {
    char text[UUID_TEXT];
    uuid_format(id, text);
    form_put_text(out, key, (struct str){text, sizeof text});
}

static void put_if_known(struct buf *out, const char *key, const char *value) {
    if (value[0] != '\0') form_put_text(out, key, str_of(value));
}

/* Who pays, for rules of Radar: what the request of a server can say of a payment method that it did not make
 * is only metadata. */
static void put_buyer(const struct stripe_ask *ask, struct buf *out) {
    put_uuid_text(out, "metadata[userId]", &ask->user);
    put_if_known(out, "metadata[ip_address]", ask->address);
    put_if_known(out, "metadata[email]", ask->email);
}

/* Nothing here may depend on anything but the ask: a repetition under the same key has to be the same. */
static void make_create(const struct stripe_ask *ask, struct stripe_request *r) {
    char currency[4] = "";
    for (int i = 0; i < 3 && ask->currency[i] != '\0'; i++)
        currency[i] = (char)(ask->currency[i] | 0x20);
    snprintf(r->path, sizeof r->path, "/v1/payment_intents");
    form_put_int(&r->body, "amount", stripe_amount(ask->amount, ask->currency));
    form_put_text(&r->body, "currency", str_of(currency));
    form_put_text(&r->body, "confirm", STR("true"));
    form_put_text(&r->body, "payment_method_types[0]", STR("card"));
    if (strncmp(ask->token, "tok_", 4) == 0) {
        form_put_text(&r->body, "payment_method_data[type]", STR("card"));
        form_put_text(&r->body, "payment_method_data[card][token]", str_of(ask->token));
    } else
        form_put_text(&r->body, "payment_method", str_of(ask->token));
    put_uuid_text(&r->body, "metadata[orderId]", &ask->order);
    put_uuid_text(&r->body, "metadata[chargeId]", &ask->charge);
    form_put_int(&r->body, "metadata[attempt]", ask->attempt);
    put_buyer(ask, &r->body);
    form_put_text(&r->body, "expand[0]", STR("payment_method")); /* for the card's last digits */
    char id[UUID_TEXT];
    uuid_format(&ask->charge, id);
    snprintf(r->idempotency_key, sizeof r->idempotency_key, "charge-%.*s-%d", UUID_TEXT, id, ask->attempt);
}

static void make_refund(const struct stripe_ask *ask, struct stripe_request *r) {
    snprintf(r->path, sizeof r->path, "/v1/refunds");
    form_put_text(&r->body, "payment_intent", str_of(ask->intent));
    put_uuid_text(&r->body, "metadata[orderId]", &ask->order);
    put_uuid_text(&r->body, "metadata[chargeId]", &ask->charge);
    snprintf(r->idempotency_key, sizeof r->idempotency_key, "refund-%d-%s", ask->tries, ask->intent);
}

/* By the order, not the charge: what a restored backup has forgotten is found as well. */
static void make_find(const struct stripe_ask *ask, struct stripe_request *r) {
    char query[UUID_TEXT + 32], id[UUID_TEXT];
    struct buf fields = {0};
    uuid_format(&ask->order, id);
    snprintf(query, sizeof query, "metadata['orderId']:'%.*s'", UUID_TEXT, id);
    form_put_text(&fields, "query", str_of(query));
    form_put_int(&fields, "limit", MOST_FOUND);
    snprintf(r->path, sizeof r->path, "/v1/payment_intents/search?%.*s", (int)fields.len,
             (char *)fields.data);
    buf_free(&fields);
}

void stripe_request_make(const struct stripe_ask *ask, struct stripe_request *out) {
    bool reads =
        ask->question == STRIPE_LOOK || ask->question == STRIPE_FIND || ask->question == STRIPE_REFUNDS;
    *out = (struct stripe_request){.method = reads ? "GET" : "POST"};
    switch (ask->question) {
    case STRIPE_CREATE:
        make_create(ask, out);
        break;
    case STRIPE_LOOK:
        snprintf(out->path, sizeof out->path, "/v1/payment_intents/%s?expand%%5B0%%5D=payment_method",
                 ask->intent);
        break;
    case STRIPE_FIND:
        make_find(ask, out);
        break;
    case STRIPE_REFUNDS:
        snprintf(out->path, sizeof out->path, "/v1/refunds?payment_intent=%s&limit=%d", ask->intent,
                 MOST_FOUND);
        break;
    case STRIPE_CANCEL:
        snprintf(out->path, sizeof out->path, "/v1/payment_intents/%s/cancel", ask->intent);
        break;
    case STRIPE_REFUND:
        make_refund(ask, out);
        break;
    }
}

void stripe_card_request_make(const struct stripe_ask *ask, struct stripe_request *out) {
    *out = (struct stripe_request){.method = "GET"};
    snprintf(out->path, sizeof out->path, "/v1/%s/%s",
             strncmp(ask->token, "tok_", 4) == 0 ? "tokens" : "payment_methods", ask->token);
}

/* --- a question with its tries --- */

static void call_end(struct call *call, const struct stripe_result *result) {
    metric_observe_us(M_STRIPE_TIME, clock_mono_us() - call->began_us);
    if (result->input == NULL) {
        metric_add(M_STRIPE_UNKNOWN, 1);
        char id[UUID_TEXT];
        uuid_format(&call->ask.charge, id);
        log_warn("stripe", "%s for charge %.*s, attempt %d: %s", questions[call->ask.question], UUID_TEXT, id,
                 call->ask.attempt, result->error);
    }
    call->done(call->ctx, &call->ask, result);
    buf_free(&call->request.body);
    json_decref(call->found);
    free(call);
}

/* For how long Stripe wants no request. */
static int asked_s(const struct fetch_answer *answer) {
    const char *later = fetch_header(answer, "retry-after");
    long s = later == NULL ? 0 : strtol(later, NULL, 10); /* the most there is, of more than that */
    return s < 0 ? 0 : s > MOST_ASKED_S ? MOST_ASKED_S : (int)s;
}

/* Not sooner than Stripe asks for, if it does; a part of that is chance, too. */
static int pause_ms(const struct call *call, const struct fetch_answer *answer) {
    int ms = backoff_ms(FIRST_PAUSE_MS, INT_MAX, call->tries - 1), later_s = asked_s(answer);
    return later_s > 0 ? later_s * 1000 + ms / 2 : ms;
}

static void send(struct call *call, int delay_ms);

/* false: no time is left, or it has been tried often enough. */
static bool try_again(struct call *call, const struct fetch_answer *answer) {
    if (answer->st == ST_STOPPED || call->tries == TRIES) return false;
    int delay_ms = pause_ms(call, answer);
    if (clock_mono_us() + delay_ms * INT64_C(1000) >= call->deadline_us) return false;
    metric_add(M_STRIPE_RETRIES, 1);
    send(call, delay_ms);
    return true;
}

static void take_action(const json_t *root, struct stripe_result *result, char **text) {
    const json_t *action = json_object_get(root, "next_action");
    *text = json_is_object(action) ? json_dumps(action, JSON_COMPACT) : NULL;
    result->action = str_of(*text);
}

/* What a search shows may be old, so each intent that it finds is read by its id. */
static void read_next(struct call *call) {
    struct stripe_ask look = {.question = STRIPE_LOOK};
    const char *id = json_string_value(json_object_get(json_array_get(call->found, call->read), "id"));
    snprintf(look.intent, sizeof look.intent, "%s", id == NULL ? "" : id);
    stripe_request_make(&look, &call->request);
    call->tries = 0;
    send(call, 0);
}

/* Of a find: root is what the search answered, or one of its intents. false: that was all. */
static bool read_on(struct call *call, json_t *root, struct stripe_result *result) {
    if (call->found == NULL)
        call->found = json_incref(json_object_get(root, "data"));
    else
        json_array_set(call->found, call->read++, root);
    if (call->read < json_array_size(call->found)) {
        read_next(call);
        return true;
    }
    stripe_found_read(&call->ask, call->found, result);
    return false;
}

/* Stripe keeps a 500 for its key, and says so when it repeats it: that key makes nothing any more. */
static bool is_replayed(const struct call *call, const struct fetch_answer *answer) {
    const char *replayed = fetch_header(answer, "idempotent-replayed");
    return call->ask.question == STRIPE_CREATE && answer->code >= 500 && replayed != NULL &&
           strcmp(replayed, "true") == 0;
}

static void read_answer(struct call *call, const struct fetch_answer *answer, struct stripe_result *result,
                        json_t **root) {
    const struct stripe_ask look = {.question = STRIPE_LOOK};
    bool found_one = call->found != NULL;
    stripe_answer_read(found_one ? &look : &call->ask, answer->code, answer->body, result, root);
    if (found_one) result->input = answer->code == 200 && json_is_object(*root) ? "found" : NULL;
    if (is_replayed(call, answer)) result->input = "replayed";
}

/* What does not fit is asked again by its pace, if there is one. */
static void read_limit(const struct call *call, const struct fetch_answer *answer,
                       struct stripe_result *result) {
    metric_add(M_STRIPE_LIMITED, 1);
    if (!call->stripe->paced) return;
    result->again = false;
    result->after_s = asked_s(answer);
    if (call->ask.question == STRIPE_CREATE) result->input = "limited";
}

static bool is_refused(const struct call *call, const struct fetch_answer *answer) {
    const struct stripe *s = call->stripe;
    json_t *root = NULL;
    if (answer->st != ST_OK) return false;
    struct str fingerprint = stripe_card_read(answer->code, answer->body, &root);
    bool refused = fingerprint.n > 0 && s->refuses(s->refuses_ctx, fingerprint);
    json_decref(root);
    return refused;
}

/* One that is refused gets the answer of one that its bank declines. What Stripe does not tell of a card is
 * no reason to lose a payment: it is made. */
static void on_card(struct call *call, const struct fetch_answer *answer) {
    struct stripe_result limited = {.limited = true};
    call->looks_at_card = false;
    if (answer->st == ST_OK && answer->code == 429 && call->stripe->paced) {
        read_limit(call, answer, &limited);
        call_end(call, &limited);
    } else if (is_refused(call, answer)) {
        metric_add(M_CARDS_REFUSED, 1);
        call_end(call, &(struct stripe_result){.input = "declined", .reason = STR("card_declined")});
    } else if (answer->st == ST_STOPPED) {
        call_end(call, &(struct stripe_result){.error = answer->why});
    } else {
        call->tries = 0;
        stripe_request_make(&call->ask, &call->request);
        send(call, 0);
    }
}

static void on_answer(void *ctx, const struct fetch_answer *answer) {
    struct call *call = ctx;
    if (call->looks_at_card) {
        on_card(call, answer);
        return;
    }
    struct stripe_result result = {.error = answer->why, .again = true};
    json_t *root = NULL;
    char *action = NULL;
    bool finds = call->ask.question == STRIPE_FIND;
    if (answer->st == ST_OK) read_answer(call, answer, &result, &root);
    if (result.limited) read_limit(call, answer, &result);
    bool goes_on = result.input == NULL ? result.again && try_again(call, answer)
                                        : finds && read_on(call, root, &result);
    if (!goes_on) {
        if (!finds) take_action(root, &result, &action);
        call_end(call, &result);
    }
    free(action);
    json_decref(root);
}

static void send(struct call *call, int delay_ms) {
    struct stripe *s = call->stripe;
    const struct stripe_request *r = &call->request;
    char url[1024], key[320];
    snprintf(url, sizeof url, "%s%s", s->url, r->path);
    snprintf(key, sizeof key, "Idempotency-Key: %s", r->idempotency_key);
    const char *headers[] = {s->authorization, ("Stripe-Version: " STRIPE_VERSION),
                             "Content-Type: application/x-www-form-urlencoded",
                             r->idempotency_key[0] != '\0' ? key : NULL, NULL};
    call->tries++;
    int left_ms = clock_ms_until(call->deadline_us) - delay_ms;
    if (call->sent++ > 0) atomic_fetch_add(&call->stripe->extra[call->ask.question == STRIPE_CREATE], 1);
    metric_add(M_STRIPE_REQUESTS, 1);
    fetch_submit(
        s->fetch,
        &(struct fetch_request){.method = r->method,
                                .url = url,
                                .headers = headers,
                                .body = buf_str(&r->body),
                                .timeout_ms = call->looks_at_card && left_ms > CARD_MS ? CARD_MS : left_ms,
                                .delay_ms = delay_ms},
        on_answer, call);
}

void stripe_ask(struct stripe *s, const struct stripe_ask *ask, stripe_done *done, void *ctx) {
    struct call *call = mem_alloc(sizeof *call);
    int64_t now_us = clock_mono_us();
    *call = (struct call){.stripe = s,
                          .ask = *ask,
                          .done = done,
                          .ctx = ctx,
                          .began_us = now_us,
                          .deadline_us = now_us + s->timeout_ms * INT64_C(1000)};
    call->looks_at_card = ask->question == STRIPE_CREATE && ask->wary && s->refuses != NULL;
    if (call->looks_at_card)
        stripe_card_request_make(ask, &call->request);
    else
        stripe_request_make(ask, &call->request);
    send(call, 0);
}

/* --- its life --- */

struct stripe *stripe_start(const struct stripe_options *options) {
    struct stripe *s = mem_alloc(sizeof *s);
    metrics_register(stripe_metrics);
    s->url = mem_strdup(options->url);
    for (size_t n = strlen(s->url); n > 0 && s->url[n - 1] == '/'; n--)
        s->url[n - 1] = '\0';
    size_t room = strlen(options->key) + sizeof "Authorization: Bearer ";
    s->authorization = mem_alloc(room);
    snprintf(s->authorization, room, "Authorization: Bearer %s", options->key);
    s->timeout_ms = options->timeout_ms;
    s->paced = options->paced;
    s->refuses = options->refuses;
    s->refuses_ctx = options->refuses_ctx;
    s->fetch = fetch_start(&(struct fetch_options){.connections = options->connections,
                                                   .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                                   .max_answer = MAX_ANSWER});
    return s;
}

int stripe_waiting(const struct stripe *s) {
    return fetch_in_flight(s->fetch);
}

int stripe_extra(struct stripe *s, bool creates) {
    return atomic_exchange(&s->extra[creates], 0);
}

void stripe_free(struct stripe *s) {
    fetch_free(s->fetch);
    free(s->url);
    free(s->authorization);
    free(s);
}
