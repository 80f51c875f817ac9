#include "call.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "buf.h"
#include "call_commit.h"
#include "queries.h"
#include "webhooks.h"

/* Rivals for one intent: each round one of them gets his turn. */
enum { MOST_TRIES = 100, KEY_MAX = 255 };

struct call *call_of(struct req *rq) {
    return req_state(rq);
}

struct str call_take(struct call *c, struct json *json) {
    struct str text = arena_str(req_arena(c->rq), buf_str(&json->out));
    buf_free(&json->out);
    *json = (struct json){0};
    return text;
}

bool call_param(const struct call *c, const char *name, struct str *out) {
    struct str value;
    if (!form_get(&c->form, name, &value) || value.n == 0) return false;
    *out = value;
    return true;
}

/* --- the answer --- */

static void set_headers(struct call *c) {
    struct str version = STR(API_VERSION);
    req_header(c->rq, "stripe-version", &version);
    req_set_header(c->rq, "request-id", str_of(c->request));
    req_set_header(c->rq, "stripe-version", version);
    if (c->key.n > 0) req_set_header(c->rq, "idempotency-key", c->key);
    if (c->original.n == 0) return;
    req_set_header(c->rq, "idempotent-replayed", STR("true"));
    req_set_header(c->rq, "original-request", c->original);
}

static void send_answer(struct call *c) {
    keys_give(c->sandbox->keys, &c->hold);
    set_headers(c);
    req_reply_raw(c->rq, c->status, "application/json", c->body);
}

static const struct problem broken = {.type = "api_error",
                                      .message = "Something went wrong on the sandbox's end, on purpose."};

static void set_problem(struct call *c, int status, const struct problem *problem) {
    struct json out = {0};
    object_write_problem(&out, problem, &c->sandbox->objects);
    c->status = status;
    c->body = call_take(c, &out);
}

static void on_latency_over(struct req *rq) {
    struct call *c = call_of(rq);
    struct faults *faults = &c->sandbox->faults;
    if (!c->page && faults_strike(faults, FAULT_DROP_AFTER)) {
        keys_give(c->sandbox->keys, &c->hold);
        req_hang_up(rq);
        return;
    }
    bool open = !c->page && c->fate == FATE_OPEN && c->original.n == 0; /* neither committed nor repeated */
    if (open && faults_strike(faults, FAULT_ERROR_AFTER)) set_problem(c, 500, &broken);
    send_answer(c);
}

static void wait_half(struct call *c, bool second, req_handler *then) {
    int64_t ms = c->page ? 0 : faults_delay(&c->sandbox->faults, DELAY_LATENCY);
    ms = second ? ms / 2 : ms - ms / 2;
    if (ms == 0)
        then(c->rq);
    else
        req_after(c->rq, (int)ms, then);
}

void call_reply(struct call *c, int status, struct str body) {
    c->status = status;
    c->body = body;
    wait_half(c, true, on_latency_over);
}

/* At once: nothing was done, so there is nothing to lose on the way. */
static void refuse_now(struct call *c, int status, const struct problem *problem) {
    set_problem(c, status, problem);
    send_answer(c);
}

void call_refuse(struct call *c, int status, const struct problem *problem) {
    set_problem(c, status, problem);
    wait_half(c, true, on_latency_over);
}

/* --- a key that was used before --- */

enum answer_column { A_ORDINAL, A_REQUEST, A_PATH, A_FINGERPRINT, A_STATUS, A_BODY };

static void refuse_other_use(struct call *c, bool same_path) {
    char message[768];
    snprintf(message, sizeof message,
             same_path
                 ? "Keys for idempotent requests can only be used with the same parameters they were first "
                   "used with. Try using a key other than '%.*s' if you meant to execute a different request."
                 : "Keys for idempotent requests can only be used for the same endpoint they were first used "
                   "for. Try using a key other than '%.*s' if you meant to execute a different request.",
             (int)c->key.n, c->key.p);
    call_refuse(c, 400, &(struct problem){.type = "idempotency_error", .message = message});
}

/* The columns begin with the answer's, of which the verdict may stand in front. */
static void repeat_answer(struct call *c, const struct rows *rows, int shift) {
    struct str fingerprint = row_text(rows, 0, A_FINGERPRINT + shift);
    struct str mine = {(const char *)c->fingerprint, sizeof c->fingerprint};
    bool same_path = str_eq(row_text(rows, 0, A_PATH + shift), str_of(c->path));
    if (!same_path || !str_eq(fingerprint, mine)) {
        refuse_other_use(c, same_path);
        return;
    }
    c->original = arena_str(req_arena(c->rq), row_text(rows, 0, A_REQUEST + shift));
    call_reply(c, (int)row_int(rows, 0, A_STATUS + shift),
               arena_str(req_arena(c->rq), row_text(rows, 0, A_BODY + shift)));
}

/* --- before the decision --- */

enum intent_column {
    I_ID = A_BODY + 1,
    I_VERSION,
    I_CREATED,
    I_AMOUNT,
    I_CURRENCY,
    I_STATUS,
    I_PAYMENT_METHOD,
    I_CHARGE,
    I_FAILURE,
    I_RECEIVED,
    I_REFUNDED,
    I_METADATA,
    I_DESCRIPTION,
    I_RETURN_URL,
    I_FLAGS,
    I_CANCELED,
    I_CANCEL_REASON
};

static struct str kept_text(struct call *c, const struct rows *rows, int row, int column) {
    if (row_null(rows, row, column)) return (struct str){0};
    return arena_str(req_arena(c->rq), row_text(rows, row, column));
}

void call_read_intent(struct call *c, const struct rows *rows, int row) {
    c->found = !row_null(rows, row, I_ID);
    if (!c->found) return;
    c->intent = (struct intent){
        .id = kept_text(c, rows, row, I_ID),
        .version = (int)row_int(rows, row, I_VERSION),
        .created_us = row_time(rows, row, I_CREATED),
        .amount = row_int(rows, row, I_AMOUNT),
        .currency = kept_text(c, rows, row, I_CURRENCY),
        .status = kept_text(c, rows, row, I_STATUS),
        .payment_method = kept_text(c, rows, row, I_PAYMENT_METHOD),
        .charge = kept_text(c, rows, row, I_CHARGE),
        .failure = card_failure_of(kept_text(c, rows, row, I_FAILURE)),
        .received = row_int(rows, row, I_RECEIVED),
        .refunded = row_int(rows, row, I_REFUNDED),
        .metadata = kept_text(c, rows, row, I_METADATA),
        .description = kept_text(c, rows, row, I_DESCRIPTION),
        .return_url = kept_text(c, rows, row, I_RETURN_URL),
        .flags = (int)row_int(rows, row, I_FLAGS),
        .canceled_us = row_null(rows, row, I_CANCELED) ? 0 : row_time(rows, row, I_CANCELED),
        .cancel_reason = kept_text(c, rows, row, I_CANCEL_REASON),
    };
}

void call_refuse_missing(struct call *c, const char *what, const char *param, struct str id) {
    char message[128];
    snprintf(message, sizeof message, "No such %s: '%.*s'", what, (int)(id.n < 64 ? id.n : 64), id.p);
    call_refuse(
        c, 404,
        &(struct problem){
            .type = "invalid_request_error", .code = "resource_missing", .param = param, .message = message});
}

static void refuse_missing(struct call *c) {
    bool in_path = strstr(c->path, "{text}") != NULL;
    call_refuse_missing(c, "payment_intent", in_path ? "intent" : "payment_intent", c->intent_id);
}

static void on_looked(struct req *rq, const struct rows *rows) {
    struct call *c = call_of(rq);
    if (!row_null(rows, 0, A_REQUEST)) {
        repeat_answer(c, rows, 0);
        return;
    }
    call_read_intent(c, rows, 0);
    if (c->intent_id.n > 0 && !c->found)
        refuse_missing(c);
    else
        c->decide(c);
}

static void look(struct call *c) {
    struct sql_params *item = req_exec(c->rq, &sql_look, on_looked);
    if (item == NULL) return;
    put_optional_text(item, c->key);
    put_optional_text(item, c->intent_id);
}

/* What makes something new needs to know nothing: whether the key is new is found out as it is committed. */
static void begin(struct req *rq) {
    struct call *c = call_of(rq);
    if (c->intent_id.n == 0)
        c->decide(c);
    else
        look(c);
}

/* --- the commit --- */

static void on_committed(struct req *rq, const struct rows *rows) {
    struct call *c = call_of(rq);
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("known"))) {
        repeat_answer(c, rows, 1);
    } else if (str_eq(verdict, STR("done"))) {
        webhooks_wake(c->sandbox->webhooks);
        if (c->finish != NULL)
            c->finish(c);
        else
            wait_half(c, true, on_latency_over);
    } else if (++c->tries < MOST_TRIES) {
        look(c);
    } else {
        refuse_now(c, 429,
                   &(struct problem){.type = "invalid_request_error",
                                     .code = "lock_timeout",
                                     .message =
                                         "This object cannot be accessed right now because another API "
                                         "request is accessing it. Retry the request."});
    }
}

/* Once, however often it is tried. */
static void choose_fate(struct call *c) {
    struct faults *faults = &c->sandbox->faults;
    if (c->page) c->fate = FATE_GOOD;
    if (c->fate == FATE_OPEN && faults_strike(faults, FAULT_ERROR_KEPT)) c->fate = FATE_KEPT;
    if (c->fate == FATE_OPEN) c->fate = faults_strike(faults, FAULT_ERROR_AFTER) ? FATE_AFTER : FATE_GOOD;
}

/* As Stripe: what began is kept for its key, also a 500. */
void call_commit(struct call *c, int status, struct str body, const struct act *act) {
    static const struct act nothing = {0};
    choose_fate(c);
    if (c->fate == FATE_KEPT) act = &nothing;
    bool refund = act->refund != NULL;
    c->status = status;
    c->body = body;
    if (c->fate != FATE_GOOD) set_problem(c, 500, &broken);
    struct sql_params *item = req_exec(c->rq, refund ? &sql_commit_refund : &sql_commit_intent, on_committed);
    if (item == NULL) return;
    call_commit_put(item, c, act);
}

/* --- who asks, and for what --- */

/* The user of Basic credentials, where Stripe's own examples for curl have the key. */
static struct str basic_user(struct arena *arena, struct str encoded) {
    char *out = arena_alloc(arena, encoded.n + 4);
    int n = encoded.n == 0
                ? 0
                : EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)encoded.p, (int)encoded.n);
    const char *colon = n <= 0 ? NULL : memchr(out, ':', (size_t)n);
    return (struct str){out, colon == NULL ? 0 : (size_t)(colon - out)};
}

static bool begins(struct str s, struct str with, struct str *rest) {
    if (s.n < with.n || strncasecmp(s.p, with.p, with.n) != 0) return false;
    *rest = (struct str){s.p + with.n, s.n - with.n};
    return true;
}

static bool is_allowed(struct call *c) {
    struct str header, given = {0};
    if (req_header(c->rq, "authorization", &header) && !begins(header, STR("Bearer "), &given) &&
        begins(header, STR("Basic "), &given))
        given = basic_user(req_arena(c->rq), given);
    if (str_eq(given, str_of(c->sandbox->secret_key))) return true;
    refuse_now(c, 401,
               &(struct problem){.type = "invalid_request_error",
                                 .message = given.n == 0 ? "You did not provide an API key."
                                                         : "Invalid API Key provided."});
    return false;
}

static bool is_known(struct str name, const char *const *params) {
    for (; *params != NULL; params++) {
        size_t n = strlen(*params);
        bool all = (*params)[n - 1] == '[';
        if (all && name.n > n && memcmp(name.p, *params, n) == 0) return true;
        if (str_eq(name, str_of(*params))) return true;
    }
    return false;
}

static bool read_params(struct call *c, struct str text, const char *const *params) {
    const char *error = form_read(text, &c->form, req_arena(c->rq));
    char message[256], name[96];
    for (int i = 0; error == NULL && i < c->form.count; i++) {
        struct str key = c->form.fields[i].key;
        if (is_known(key, params)) continue;
        snprintf(name, sizeof name, "%.*s", (int)(key.n < 80 ? key.n : 80), key.p);
        snprintf(message, sizeof message, "Received unknown parameter: %s", name);
        refuse_now(c, 400,
                   &(struct problem){.type = "invalid_request_error",
                                     .code = "parameter_unknown",
                                     .param = name,
                                     .message = message});
        return false;
    }
    if (error == NULL) return true;
    snprintf(message, sizeof message, "The parameters %s", error);
    refuse_now(c, 400, &(struct problem){.type = "invalid_request_error", .message = message});
    return false;
}

static int by_key(const void *a, const void *b) {
    const struct form_field *x = a, *y = b;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int order = memcmp(x->key.p, y->key.p, n);
    return order != 0 ? order : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

/* Of what is asked for, in whatever order; of the path's id too. */
static void take_fingerprint(struct call *c, struct str id) {
    struct buf text = {0};
    size_t bytes = (size_t)c->form.count * sizeof *c->form.fields;
    struct form_field *sorted = arena_alloc(req_arena(c->rq), bytes);
    if (bytes > 0) memcpy(sorted, c->form.fields, bytes);
    qsort(sorted, (size_t)c->form.count, sizeof *sorted, by_key);
    buf_add(&text, id.p, id.n);
    for (int i = 0; i < c->form.count; i++) {
        buf_add(&text, "\0", 1); /* no key or value holds one */
        buf_add(&text, sorted[i].key.p, sorted[i].key.n);
        buf_add(&text, "\0", 1);
        buf_add(&text, sorted[i].value.p, sorted[i].value.n);
    }
    SHA256(text.data, text.len, c->fingerprint);
    buf_free(&text);
}

static bool read_key(struct call *c) {
    struct str key;
    if (!req_header(c->rq, "idempotency-key", &key) || key.n == 0) return true;
    if (key.n <= KEY_MAX) {
        c->key = arena_str(req_arena(c->rq), key);
        return true;
    }
    refuse_now(c, 400,
               &(struct problem){.type = "invalid_request_error",
                                 .message = "Idempotency keys can only be up to 255 characters long."});
    return false;
}

static bool survives(struct call *c) {
    struct faults *faults = &c->sandbox->faults;
    if (faults_strike(faults, FAULT_DROP_BEFORE)) {
        req_hang_up(c->rq);
        return false;
    }
    if (faults_too_many(faults) || faults_strike(faults, FAULT_RATE_LIMIT)) {
        refuse_now(c, 429,
                   &(struct problem){.type = "invalid_request_error",
                                     .code = "rate_limit",
                                     .message = "Request rate limit exceeded."});
        return false;
    }
    if (!faults_strike(faults, FAULT_ERROR_BEFORE)) return true;
    refuse_now(c, 500, &broken);
    return false;
}

static void on_end(void *call) {
    struct call *c = call;
    keys_give(c->sandbox->keys, &c->hold);
}

static bool take_key(struct call *c) {
    if (c->key.n == 0) return true;
    if (keys_take(c->sandbox->keys, &c->hold, c->key)) {
        req_at_end(c->rq, on_end, c);
        return true;
    }
    refuse_now(c, 409,
               &(struct problem){.type = "idempotency_error",
                                 .code = "idempotency_key_in_use",
                                 .message = "There is currently another in-progress request using this "
                                            "Idempotency Key. Wait for it to end before trying again."});
    return false;
}

static struct call *call_new(struct req *rq, const char *path, struct str intent_id, call_decide *decide) {
    struct call *c = req_alloc(rq, sizeof *c);
    *c = (struct call){
        .rq = rq, .sandbox = req_service(rq), .decide = decide, .path = path, .intent_id = intent_id};
    object_new_id(c->request, "req_");
    req_set_state(rq, c);
    return c;
}

void call_post(struct req *rq, const char *path, const char *const *params, struct str intent_id,
               call_decide *decide) {
    struct call *c = call_new(rq, path, intent_id, decide);
    if (!is_allowed(c) || !read_params(c, req_raw_body(rq), params) || !read_key(c)) return;
    take_fingerprint(c, intent_id);
    if (c->intent_id.n == 0) call_param(c, "payment_intent", &c->intent_id);
    if (!survives(c) || !take_key(c)) return;
    wait_half(c, false, begin);
}

void call_get(struct req *rq, const char *path, struct str intent_id, struct str wanted,
              call_decide *decide) {
    struct call *c = call_new(rq, path, intent_id, decide);
    c->wanted = wanted;
    if (is_allowed(c) && survives(c)) wait_half(c, false, begin);
}

void call_page(struct req *rq, struct str intent_id, bool passed, call_decide *decide, call_decide *finish) {
    struct call *c = call_new(rq, "/sandbox/3ds/{text}", intent_id, decide);
    c->page = true;
    c->passed = passed;
    c->finish = finish;
    look(c);
}
