#include "teller.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "charge_metrics.h"
#include "clock.h"
#include "log.h"
#include "pg.h"
#include "queries.h"
#include "thread.h"

METRICS_DEFINE(charge_metrics, CHARGE_METRICS);

enum {
    SWEEP_US = 1000 * 1000,
    FORGET_US = 600 * 1000 * 1000, /* old webhooks */
    FORGET_MOST = 1000,
    BATCH = 500,           /* answers of one statement */
    MOST_AT_STRIPE = 2000, /* found by the sweep and not answered: more would only wait in our queue */
    STATEMENT_MS = 5000,
    RECONNECT_US = 500 * 1000,
};

/* A question on its way, and then its answer. */
struct errand {
    struct errand *next;
    struct teller *teller;
    struct req *rq; /* who waits for it; NULL: nobody */
    teller_told *told;
    char traceparent[56]; /* "": none */
    int64_t began_us, stripe_us;
    struct stripe_ask ask;
    const char *input; /* NULL: not known */
    char *intent, *reason, *secret, *action;
    struct charge *charge; /* as it is now */
};

struct teller {
    char *database_url;
    struct stripe *stripe;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the next five */
    pthread_cond_t work;
    struct errand *first, **last; /* answered */
    bool woken, stopping;

    /* the thread's alone */
    PGconn *conn;
    struct sql_params answers, sweep, forget;
    int64_t sweep_at_us, forget_at_us;
};

/* --- errands --- */

static void errand_free(struct errand *e) {
    free(e->intent);
    free(e->reason);
    free(e->secret);
    free(e->action);
    free(e->charge);
    free(e);
}

static void on_resumed(struct req *rq, void *arg) {
    struct errand *e = arg;
    e->told(rq, e->charge, e->stripe_us);
    errand_free(e);
}

static void errand_end(struct errand *e) {
    if (e->rq == NULL)
        errand_free(e);
    else
        req_resume(e->rq, on_resumed, e);
}

static char *copy_of(struct str s) {
    if (s.n == 0) return NULL;
    char *copy = mem_alloc(s.n + 1);
    memcpy(copy, s.p, s.n);
    return copy;
}

/* On Stripe's thread. */
static void on_told(void *ctx, const struct stripe_ask *ask, const struct stripe_told *told) {
    struct errand *e = ctx;
    struct teller *t = e->teller;
    (void)ask;
    e->stripe_us = clock_mono_us() - e->began_us;
    e->input = told->input;
    if (told->input == NULL) { /* nothing to write: it is due again when it was to be due */
        errand_end(e);
        return;
    }
    e->intent = copy_of(told->intent);
    e->reason = copy_of(told->reason);
    e->secret = copy_of(told->secret);
    e->action = copy_of(told->action);
    e->next = NULL;
    pthread_mutex_lock(&t->lock);
    bool first = t->first == NULL;
    *t->last = e;
    t->last = &e->next;
    if (first) pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
}

static struct errand *errand_new(struct teller *t, const struct stripe_ask *ask) {
    struct errand *e = mem_alloc(sizeof *e);
    e->teller = t;
    e->ask = *ask;
    e->began_us = clock_mono_us();
    return e;
}

void teller_ask(struct teller *t, const struct stripe_ask *ask, struct req *rq, teller_told *told) {
    struct errand *e = errand_new(t, ask);
    struct str trace = req_traceparent(rq);
    snprintf(e->traceparent, sizeof e->traceparent, "%.*s", (int)trace.n, trace.p);
    e->rq = rq;
    e->told = told;
    req_hold(rq);
    stripe_ask(t->stripe, ask, on_told, e);
}

/* --- the database --- */

static enum status exec(struct teller *t, struct sql_params *c, PGresult **res, struct why *w) {
    const char *values[SQL_MAX_PARAMS];
    int lengths[SQL_MAX_PARAMS], formats[SQL_MAX_PARAMS];
    sql_params_values(c, values, lengths, formats);
    *res = PQexecPrepared(t->conn, c->sql->name, c->sql->nparams, values, lengths, formats, 1);
    enum status st = pg_status(t->conn, *res, w);
    if (st != ST_OK) {
        PQclear(*res);
        *res = NULL;
    }
    return st;
}

static bool connect_to(struct teller *t, struct why *w) {
    if (t->conn != NULL && PQstatus(t->conn) == CONNECTION_OK) return true;
    PQfinish(t->conn);
    t->conn = pg_open(t->database_url, "payments-teller", STATEMENT_MS, w);
    if (t->conn == NULL) return false;
    if (pg_exec(t->conn, w, "select " PG_PLANNING) == ST_OK &&
        pg_prepare(t->conn, t->answers.sql, w) == ST_OK && pg_prepare(t->conn, t->sweep.sql, w) == ST_OK &&
        pg_prepare(t->conn, t->forget.sql, w) == ST_OK)
        return true;
    PQfinish(t->conn);
    t->conn = NULL;
    return false;
}

/* --- what Stripe said --- */

static void put_optional(struct sql_params *c, const char *text) {
    put_optional_text(c, str_of(text));
}

static void put_answer(struct sql_params *c, const struct errand *e) {
    put_uuid(c, &e->ask.order);
    put_int(c, e->ask.attempt);
    put_text(c, str_of(e->input));
    put_optional(c, e->intent);
    put_optional(c, e->reason);
    put_optional(c, e->secret);
    put_optional(c, e->action);
    put_optional(c, e->traceparent);
}

/* Gives each errand its charge, and looks whether something new is due. */
static void take_charges(struct teller *t, const PGresult *res, struct errand **batch) {
    struct rows rows = {res, 0, PQntuples(res)};
    for (int i = 0; i < rows.count; i++) {
        struct charge charge;
        struct errand *e = batch[row_int(&rows, i, 0) - 1];
        charge_read(&rows, i, &charge);
        e->charge = charge_copy(&charge);
        if (charge_in(&charge, "refunding") || charge_in(&charge, "abandoned")) t->sweep_at_us = 0;
        if (e->ask.question == STRIPE_REFUND && charge_in(&charge, "refunded")) metric_add(M_REFUNDS, 1);
    }
}

/* ST_OK, or nothing of it was written. */
static enum status write_batch(struct teller *t, struct errand **batch, int n, struct why *w) {
    sql_params_reset(&t->answers);
    for (int i = 0; i < n; i++)
        put_answer(&t->answers, batch[i]);
    PGresult *res = NULL;
    enum status st = connect_to(t, w) ? exec(t, &t->answers, &res, w) : ST_LOST;
    if (st != ST_OK) return st;
    take_charges(t, res, batch);
    PQclear(res);
    return ST_OK;
}

static bool is_stopping(struct teller *t) {
    pthread_mutex_lock(&t->lock);
    bool stopping = t->stopping;
    pthread_mutex_unlock(&t->lock);
    return stopping;
}

static void pause_for(struct teller *t, int64_t us) {
    int64_t until = clock_mono_us() + us;
    struct timespec at = {until / 1000000, until % 1000000 * 1000};
    pthread_mutex_lock(&t->lock);
    while (!t->stopping && pthread_cond_timedwait(&t->work, &t->lock, &at) == 0)
        ;
    pthread_mutex_unlock(&t->lock);
}

/* Until it is written, or nobody waits for that any more: then the next start asks Stripe again. An answer
 * that the database refuses stands alone in the end. */
static void settle(struct teller *t, struct errand **batch, int n) {
    struct why w = {0};
    enum status st;
    while ((st = write_batch(t, batch, n, &w)) != ST_OK) {
        log_warn("teller", "%d answers of Stripe could not be written: %s", n, w.text);
        bool refused = st == ST_INVALID || st == ST_FAILED;
        if (refused && n > 1) {
            settle(t, batch, n / 2);
            settle(t, batch + n / 2, n - n / 2);
            return;
        }
        if (refused || is_stopping(t)) break;
        if (st == ST_LOST) pause_for(t, RECONNECT_US);
    }
    for (int i = 0; i < n; i++)
        errand_end(batch[i]);
}

static void settle_all(struct teller *t, struct errand *list) {
    struct errand *batch[BATCH];
    while (list != NULL) {
        int n = 0;
        for (; list != NULL && n < BATCH; list = list->next)
            batch[n++] = list;
        settle(t, batch, n);
    }
}

/* --- what is due --- */

enum due_column { D_ORDER, D_ID, D_ATTEMPT, D_ASK, D_TOKEN, D_AMOUNT, D_CURRENCY, D_INTENT };

static void copy_text(char *out, size_t size, const struct rows *rows, int row, int column) {
    struct str s = row_null(rows, row, column) ? (struct str){0} : row_text(rows, row, column);
    snprintf(out, size, "%.*s", (int)s.n, s.n == 0 ? "" : s.p);
}

static void ask_due(struct teller *t, const struct rows *rows, int row) {
    struct stripe_ask ask = {.order = row_uuid(rows, row, D_ORDER),
                             .charge = row_uuid(rows, row, D_ID),
                             .attempt = (int)row_int(rows, row, D_ATTEMPT),
                             .amount = row_int(rows, row, D_AMOUNT)};
    copy_text(ask.token, sizeof ask.token, rows, row, D_TOKEN);
    copy_text(ask.currency, sizeof ask.currency, rows, row, D_CURRENCY);
    copy_text(ask.intent, sizeof ask.intent, rows, row, D_INTENT);
    if (stripe_question_parse(row_text(rows, row, D_ASK), &ask.question))
        stripe_ask(t->stripe, &ask, on_told, errand_new(t, &ask));
}

/* false: there may be more. */
static bool sweep_some(struct teller *t) {
    int room = MOST_AT_STRIPE - stripe_waiting(t->stripe);
    struct why w = {0};
    PGresult *res = NULL;
    if (room <= 0) return true;
    if (room > BATCH) room = BATCH;
    sql_params_reset(&t->sweep);
    put_int(&t->sweep, room);
    if (!connect_to(t, &w) || exec(t, &t->sweep, &res, &w) != ST_OK) {
        log_warn("teller", "cannot look for what is due: %s", w.text);
        return true;
    }
    struct rows rows = {res, 0, PQntuples(res)};
    for (int i = 0; i < rows.count; i++)
        ask_due(t, &rows, i);
    metric_add(M_CHARGES_SWEPT, rows.count);
    PQclear(res);
    return rows.count < room;
}

static void forget_webhooks(struct teller *t) {
    struct why w = {0};
    PGresult *res = NULL;
    sql_params_reset(&t->forget);
    put_int(&t->forget, FORGET_MOST);
    if (connect_to(t, &w) && exec(t, &t->forget, &res, &w) != ST_OK)
        log_warn("teller", "cannot forget old webhooks: %s", w.text);
    PQclear(res);
}

static void do_due(struct teller *t) {
    int64_t now = clock_mono_us();
    if (now >= t->sweep_at_us) {
        t->sweep_at_us = now + SWEEP_US;
        while (!is_stopping(t) && !sweep_some(t))
            ;
    }
    if (now >= t->forget_at_us) {
        t->forget_at_us = now + FORGET_US;
        forget_webhooks(t);
    }
}

/* --- the thread --- */

/* Waits for answers, or for the time of the next sweep. false: it is to stop, and no answers are left. */
static bool take_answers(struct teller *t, struct errand **list) {
    struct timespec at = {t->sweep_at_us / 1000000, t->sweep_at_us % 1000000 * 1000};
    pthread_mutex_lock(&t->lock);
    while (t->first == NULL && !t->stopping && !t->woken &&
           pthread_cond_timedwait(&t->work, &t->lock, &at) == 0)
        ;
    if (t->woken) t->sweep_at_us = 0;
    t->woken = false;
    *list = t->first;
    t->first = NULL;
    t->last = &t->first;
    bool go_on = !t->stopping || *list != NULL;
    pthread_mutex_unlock(&t->lock);
    return go_on;
}

static void *run(void *arg) {
    struct teller *t = arg;
    for (struct errand *list; take_answers(t, &list);) {
        settle_all(t, list);
        if (!is_stopping(t)) do_due(t);
    }
    PQfinish(t->conn);
    return NULL;
}

void teller_wake(struct teller *t) {
    pthread_mutex_lock(&t->lock);
    t->woken = true;
    pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
}

/* --- its life --- */

struct teller *teller_start(const struct teller_options *options) {
    struct teller *t = mem_alloc(sizeof *t);
    metrics_register(charge_metrics);
    t->database_url = mem_strdup(options->database_url);
    t->stripe = stripe_start(&options->stripe);
    t->last = &t->first;
    sql_params_init(&t->answers, &sql_on_answer);
    sql_params_init(&t->sweep, &sql_on_sweep);
    sql_params_init(&t->forget, &sql_on_old_webhooks);
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    t->thread = thread_start("teller", run, t);
    return t;
}

void teller_free(struct teller *t) {
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    stripe_free(t->stripe);
    for (struct errand *e = t->first, *next; e != NULL; e = next) { /* answers that came too late */
        next = e->next;
        errand_end(e);
    }
    pthread_cond_destroy(&t->work);
    pthread_mutex_destroy(&t->lock);
    sql_params_free(&t->answers);
    sql_params_free(&t->sweep);
    sql_params_free(&t->forget);
    free(t->database_url);
    free(t);
}
