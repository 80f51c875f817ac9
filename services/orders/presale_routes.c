#include "presale_routes.h"

#include <sodium.h>

#include "presale.h"
#include "queries.h"
#include "refusals.h"

enum { COUNT_MAX = 1000, USES_MAX = 100000, SHOW_WAIT_MS = 300 };

/* --- POST /api/shows/:id/codes --- */

struct making {
    int64_t count, uses;
    struct uuid id, salt;
    struct str key, given; /* the codes follow from key: the Idempotency-Key, or random bytes without one */
    struct str hashes;     /* as Postgres writes an array */
};

static const char *read_count(const json_t *value, void *out, struct arena *arena) {
    return body_whole(value, 1, COUNT_MAX, out)
               ? NULL
               : body_message(arena, "must be a whole number from 1 to %d", COUNT_MAX);
}

static const char *read_uses(const json_t *value, void *out, struct arena *arena) {
    return body_whole(value, 1, USES_MAX, out)
               ? NULL
               : body_message(arena, "must be a whole number from 1 to %d", USES_MAX);
}

static const struct body_field making_fields[] = {
    {"count", read_count, offsetof(struct making, count), BODY_REQUIRED},
    {"uses", read_uses, offsetof(struct making, uses), BODY_OPTIONAL},
    {0},
};

/* '{HASH,HASH}' */
static struct str list_hashes(struct req *rq, const struct making *m) {
    char *text = req_alloc(rq, (size_t)m->count * (UUID_TEXT + 1) + 1), *end = text;
    for (int i = 0; i < m->count; i++) {
        char code[PRESALE_TEXT];
        struct uuid hash;
        presale_make(&m->salt, m->key, i, code);
        presale_hash((struct str){code, PRESALE_TEXT}, &hash);
        *end++ = i == 0 ? '{' : ',';
        uuid_format(&hash, end);
        end += UUID_TEXT;
    }
    *end++ = '}';
    return (struct str){text, (size_t)(end - text)};
}

static void reply_codes(struct req *rq, const struct uuid *salt) {
    const struct making *m = req_state(rq);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_key(out, "codes");
    json_open(out, '[');
    for (int i = 0; i < m->count; i++) {
        char code[PRESALE_TEXT];
        presale_make(salt, m->key, i, code);
        json_text(out, (struct str){code, PRESALE_TEXT});
    }
    json_close(out, ']');
    json_put_int(out, "uses", m->uses);
    json_close(out, '}');
    req_reply(rq, 201);
}

static void ask_make(struct req *rq);

static void on_made(struct req *rq, const struct rows *rows) {
    static const struct refusal refusals[] = {
        {"forbidden", 403, "This show is somebody else's", NULL},
        {"cancelled", 409, "This show has been cancelled", NULL},
        {"too many", 409, "A show can have 100,000 codes", NULL},
        {"other body", 422, "This Idempotency-Key came with another body before", NULL},
    };
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("made")) || str_eq(verdict, STR("repeated"))) {
        struct uuid salt = row_uuid(rows, 0, 2);
        reply_codes(rq, &salt);
    } else if (str_eq(verdict, STR("again"))) {
        req_again(rq, ask_make);
    } else if (!refusals_answer(rq, verdict, refusals, sizeof refusals / sizeof *refusals)) {
        if (!req_later_within(rq, ask_make, SHOW_WAIT_MS)) req_fail(rq, 404, NULL, "No such show");
    }
}

static void ask_make(struct req *rq) {
    const struct making *m = req_state(rq);
    struct uuid key_hash = presale_key_hash(m->given);
    struct sql_params *item = req_exec(rq, &sql_make_codes, on_made);
    if (item == NULL) return;
    put_uuid(item, &m->id);
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_optional_uuid(item, m->given.n > 0, &key_hash);
    put_int(item, m->count);
    put_int(item, m->uses);
    put_uuid(item, &m->salt);
    put_text(item, m->hashes);
}

void presale_post(struct req *rq) {
    struct making *m = req_alloc(rq, sizeof *m);
    req_set_state(rq, m);
    m->uses = 1;
    if (!req_idempotency_key(rq, &m->given) || !req_body(rq, making_fields, m)) return;
    m->id = uuid_v7();
    randombytes_buf(&m->salt, sizeof m->salt);
    m->key = m->given;
    if (m->key.n == 0) {
        char *random = req_alloc(rq, crypto_auth_hmacsha256_KEYBYTES);
        randombytes_buf(random, crypto_auth_hmacsha256_KEYBYTES);
        m->key = (struct str){random, crypto_auth_hmacsha256_KEYBYTES};
    }
    m->hashes = list_hashes(rq, m);
    ask_make(rq);
}

/* --- spending one --- */

const char *presale_read_code(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    struct presale_code *code = out;
    struct str text = {json_string_value(value), json_string_length(value)};
    code->given = presale_hash(text, &code->hash);
    return code->given ? NULL : "must have 16 letters and digits, like 7K2M-Q4ZD-0V9X-H3TB";
}

void presale_spend(struct req *rq, const struct presale_code *code, const struct uuid *show,
                   struct str tickets, req_done *done) {
    struct sql_params *item = req_exec(rq, &sql_spend_code, done);
    if (item == NULL) return;
    if (show == NULL)
        put_null(item);
    else
        put_uuid(item, show);
    req_put_user(rq, item);
    put_uuid(item, &code->hash);
    put_optional_text(item, tickets);
}

bool presale_is_spent(struct req *rq, const struct rows *rows, req_handler *again) {
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("spent"))) return true;
    if (str_eq(verdict, STR("again")))
        req_again(rq, again);
    else
        refusals_answer_show(rq, verdict);
    return false;
}

/* --- POST /api/shows/:id/codes/spend --- */

static const struct body_field spending_fields[] = {
    {"code", presale_read_code, 0, BODY_REQUIRED},
    {0},
};

static void ask_spend(struct req *rq);

static void on_spent(struct req *rq, const struct rows *rows) {
    if (presale_is_spent(rq, rows, ask_spend)) req_reply(rq, 204);
}

static void ask_spend(struct req *rq) {
    struct uuid show = req_path_uuid(rq, 0);
    presale_spend(rq, req_state(rq), &show, (struct str){0}, on_spent);
}

void presale_post_spend(struct req *rq) {
    struct presale_code *code = req_alloc(rq, sizeof *code);
    req_set_state(rq, code);
    if (req_body(rq, spending_fields, code)) ask_spend(rq);
}
