#include "control.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "pg.h"
#include "queries.h"
#include "utf8.h"
#include "webhooks.h"

/* --- settings --- */

static void write_settings(struct json *out, const struct sandbox *s) {
    json_open(out, '{');
    char number[32];
    for (int i = 0; i < FAULTS; i++) {
        json_key(out, faults_names[i]);
        json_raw(out,
                 (struct str){number, (size_t)snprintf(number, sizeof number, "%g", s->faults.shares[i])});
    }
    for (int i = 0; i < DELAYS; i++) {
        json_key(out, faults_delay_names[i]);
        json_int(out, s->faults.delays[i]);
    }
    json_close(out, '}');
}

void get_settings(struct req *rq) {
    write_settings(req_json(rq), req_service(rq));
    req_reply(rq, 200);
}

static void on_kept(struct req *rq, const struct rows *rows) {
    (void)rows;
    get_settings(rq);
}

/* The texts; empty: as the environment has them. */
static void set_target(struct sandbox *s, struct str url, struct str secret) {
    webhooks_target(s->webhooks, url.n > 0 ? url : str_of(s->webhook_url),
                    secret.n > 0 ? secret : str_of(s->webhook_secret));
}

static struct str member_text(const json_t *doc, const char *name) {
    const json_t *value = json_object_get(doc, name);
    return (struct str){json_string_value(value), json_string_length(value)};
}

/* Applies one; removes it from doc when it is not to be kept. NULL, or what is wrong. */
static const char *apply(struct sandbox *s, json_t *doc, const char *name, const json_t *value) {
    bool kept = true;
    const char *error = NULL;
    if (strcmp(name, "webhook_url") == 0 || strcmp(name, "webhook_secret") == 0)
        return json_is_string(value) ? NULL : "must be a text";
    if (!json_is_number(value)) return "must be a number";
    error = faults_set(&s->faults, str_of(name), json_number_value(value), &kept);
    if (error == NULL && !kept) json_object_del(doc, name); /* and name with it */
    return error;
}

/* NULL, or what is wrong with *name. */
static const char *apply_all(struct sandbox *s, json_t *doc, const char **name) {
    const char *error = NULL;
    json_t *value;
    void *next;
    bool target = json_object_get(doc, "webhook_url") != NULL;
    json_object_foreach_safe(doc, next, *name, value) {
        error = apply(s, doc, *name, value);
        if (error != NULL) return error;
    }
    if (target) set_target(s, member_text(doc, "webhook_url"), member_text(doc, "webhook_secret"));
    return NULL;
}

static void keep(struct req *rq, json_t *doc) {
    struct sql_params *item = req_exec(rq, &sql_put_settings, on_kept);
    if (item == NULL) return;
    char *text = json_dumps(doc, JSON_COMPACT);
    put_text(item, str_of(text));
    free(text);
}

/* {"latency_ms": 50, "drop_after": 0.1, "drop_after_next": 1, "webhook_url": "http://..."} */
void post_settings(struct req *rq) {
    struct str body = req_raw_body(rq);
    json_t *doc = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
    const char *name = NULL;
    const char *error =
        json_is_object(doc) ? apply_all(req_service(rq), doc, &name) : "must be a JSON object";
    if (error != NULL)
        req_fail(rq, 400, name, "%s", error);
    else
        keep(rq, doc);
    json_decref(doc);
}

/* As at first. */
void delete_settings(struct req *rq) {
    struct sandbox *s = req_service(rq);
    json_t *doc = json_object();
    faults_reset(&s->faults);
    set_target(s, (struct str){0}, (struct str){0});
    for (int i = 0; i < FAULTS; i++)
        json_object_set_new(doc, faults_names[i], json_null());
    for (int i = 0; i < DELAYS; i++)
        json_object_set_new(doc, faults_delay_names[i], json_null());
    json_object_set_new(doc, "webhook_url", json_null());
    json_object_set_new(doc, "webhook_secret", json_null());
    keep(rq, doc);
    json_decref(doc);
}

static void restore_rows(struct sandbox *s, const struct rows *rows) {
    struct str url = {0}, secret = {0};
    bool kept;
    for (int i = 0; i < rows->count; i++) {
        struct str name = row_text(rows, i, 0), value = row_text(rows, i, 1);
        if (str_eq(name, STR("webhook_url")))
            url = value;
        else if (str_eq(name, STR("webhook_secret")))
            secret = value;
        else
            faults_set(&s->faults, name, strtod(value.p, NULL), &kept); /* libpq terminates values */
    }
    set_target(s, url, secret);
}

enum status control_restore(struct sandbox *s, struct why *w) {
    PGconn *conn = pg_open(s->database_url, "stripe-sandbox", 5000, w);
    if (conn == NULL) return ST_LOST;
    PGresult *res = PQexecParams(conn, "select name, value from settings", 0, NULL, NULL, NULL, NULL, 1);
    enum status st = pg_status(conn, res, w);
    if (st == ST_OK) restore_rows(s, &(struct rows){res, 0, PQntuples(res)});
    PQclear(res);
    PQfinish(conn);
    return st;
}

/* --- the ledger --- */

enum {
    L_ORDINAL,
    L_ID,
    L_CREATED,
    L_AMOUNT,
    L_CURRENCY,
    L_STATUS,
    L_METHOD,
    L_CAPTURED,
    L_REFUNDED,
    L_REFUNDS,
    L_FAILURE,
    L_METADATA,
    L_REFUNDS_FAILED,
    L_PENDING,
    L_DISPUTE
};
enum { LEDGER_PAGE = 1000 };

static void write_text(struct json *out, const char *key, const struct rows *rows, int row, int column) {
    json_key(out, key);
    if (row_null(rows, row, column))
        json_nil(out);
    else
        json_text(out, row_text(rows, row, column));
}

static void write_number(struct json *out, const char *key, const struct rows *rows, int row, int column) {
    json_key(out, key);
    json_int(out, row_int(rows, row, column));
}

static void write_entry(struct json *out, const struct rows *rows, int row) {
    json_open(out, '{');
    write_text(out, "id", rows, row, L_ID);
    json_key(out, "created");
    json_time(out, row_time(rows, row, L_CREATED));
    write_number(out, "amount", rows, row, L_AMOUNT);
    write_text(out, "currency", rows, row, L_CURRENCY);
    write_text(out, "status", rows, row, L_STATUS);
    write_text(out, "payment_method", rows, row, L_METHOD);
    write_number(out, "captured", rows, row, L_CAPTURED);
    write_number(out, "refunded", rows, row, L_REFUNDED);
    write_number(out, "refunds", rows, row, L_REFUNDS);
    write_number(out, "refunds_failed", rows, row, L_REFUNDS_FAILED);
    write_number(out, "pending", rows, row, L_PENDING);
    write_text(out, "dispute", rows, row, L_DISPUTE);
    write_text(out, "failure", rows, row, L_FAILURE);
    json_key(out, "metadata");
    json_raw(out, row_text(rows, row, L_METADATA));
    json_close(out, '}');
}

static void on_ledger(struct req *rq, const struct rows *rows) {
    struct json *out = req_json(rq);
    json_open(out, '[');
    for (int i = 0; i < rows->count; i++)
        write_entry(out, rows, i);
    json_close(out, ']');
    req_reply(rq, 200);
}

/* ?after=: the last id of the page before; a page that is not full is the last. */
void get_ledger(struct req *rq) {
    struct str after = {0};
    if (req_query(rq, "after", &after) && !utf8_valid(after)) {
        req_fail(rq, 400, "after", "must be an id");
        return;
    }
    struct sql_params *item = req_exec(rq, &sql_get_ledger, on_ledger);
    if (item == NULL) return;
    put_text(item, after);
    put_int(item, LEDGER_PAGE);
}
