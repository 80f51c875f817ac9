#include "charge_worker.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "backoff.h"
#include "charge_metrics.h"
#include "clock.h"
#include "inbox.h"
#include "log.h"
#include "mem.h"
#include "pg.h"
#include "queries.h"
#include "thread.h"

enum {
    SWEEP_US = 1000 * 1000,        /* how often it looks for charges that are due */
    FORGET_US = 600 * 1000 * 1000, /* and for old webhooks */
    FORGET_MOST = 1000,
    COUNT_US = 5 * 1000 * 1000, /* how often open refunds are counted, for the metrics */
    BATCH = 500,                /* answers of one statement */
    MOST_AT_STRIPE = 2000,      /* found by the sweep and not answered: more would only wait in our queue */
    STATEMENT_MS = 5000,
    FIRST_RETRY_MS = 200, /* after the database was lost */
    LAST_RETRY_MS = 2000,
};

/* A question on its way to Stripe, and then its answer. */
struct stripe_job {
    struct inbox_item item; /* of `answered` */
    struct charge_worker *worker;
    struct req *rq; /* that waits for it; NULL: none */
    charge_worker_done *done;
    char traceparent[56]; /* "": none */
    int64_t began_us, stripe_us;
    struct stripe_ask ask;
    const char *input; /* NULL: not known */
    char *intent, *reason, *secret, *action;
    struct charge *charge; /* as it is now */
};

struct charge_worker {
    char *database_url;
    int64_t search_lag_ms;
    struct stripe *stripe;
    struct inbox answered; /* jobs, from Stripe's thread */
    pthread_t thread;
    pthread_mutex_t lock; /* guards the next four */
    pthread_cond_t changed;
    bool has_answers, sweep_now, stopping;

    /* the thread's alone */
    PGconn *conn;
    struct backoff retry;
    struct why said; /* the error of the database that was logged last */
    struct sql_params answers, charges, returns, forget, count;
    int64_t sweep_at_us, forget_at_us, count_at_us;
};

/* --- jobs --- */

static void job_free(struct stripe_job *job) {
    free(job->intent);
    free(job->reason);
    free(job->secret);
    free(job->action);
    free(job->charge);
    free(job);
}

static void on_resumed(struct req *rq, void *arg) {
    struct stripe_job *job = arg;
    job->done(rq, job->charge, job->stripe_us);
    job_free(job);
}

static void job_end(struct stripe_job *job) {
    if (job->rq == NULL)
        job_free(job);
    else
        req_resume(job->rq, on_resumed, job);
}

static char *copy_of(struct str s) {
    if (s.n == 0) return NULL;
    char *copy = mem_alloc(s.n + 1);
    memcpy(copy, s.p, s.n);
    return copy;
}

static struct stripe_job *job_new(struct charge_worker *worker, const struct stripe_ask *ask) {
    struct stripe_job *job = mem_alloc(sizeof *job);
    job->worker = worker;
    job->ask = *ask;
    job->began_us = clock_mono_us();
    return job;
}

/* Each other intent of the order is an answer of its own: one that has the money has to give it back. They
 * come after the answer about the charge's intent, so that it is known which that is. */
static void put_others(struct charge_worker *worker, const struct stripe_ask *ask,
                       const struct stripe_result *result) {
    const json_t *intent;
    size_t i;
    json_array_foreach(result->found, i, intent) {
        struct stripe_result other = {0};
        struct stripe_ask about = *ask;
        if (!stripe_metadata_read(intent, &about.order, &about.attempt) ||
            !uuid_eq(&about.order, &ask->order) || stripe_intent_read(intent, &other) == NULL ||
            str_eq(other.intent, result->intent))
            continue;
        struct stripe_job *job = job_new(worker, &about);
        job->input = other.input;
        job->intent = copy_of(other.intent);
        inbox_put(&worker->answered, &job->item);
    }
}

/* A search does not find yet what is new: only later is there certainly none. */
static bool is_early(const struct charge_worker *worker, const struct stripe_ask *ask, const char *input) {
    return strcmp(input, "absent") == 0 && ask->sent_ago_ms < worker->search_lag_ms;
}

/* On Stripe's thread. */
static void on_result(void *ctx, const struct stripe_ask *ask, const struct stripe_result *result) {
    struct stripe_job *job = ctx;
    struct charge_worker *worker = job->worker;
    job->stripe_us = clock_mono_us() - job->began_us;
    job->input = result->input;
    if (result->input == NULL || is_early(worker, ask, result->input)) {
        put_others(worker, ask, result);
        job_end(job); /* nothing to write; the charge is due again when its row says so */
        return;
    }
    job->intent = copy_of(result->intent);
    job->reason = copy_of(result->reason);
    job->secret = copy_of(result->secret);
    job->action = copy_of(result->action);
    inbox_put(&worker->answered, &job->item);
    put_others(worker, ask, result);
}

void charge_worker_ask(struct charge_worker *worker, const struct stripe_ask *ask, struct req *rq,
                       charge_worker_done *done) {
    struct stripe_job *job = job_new(worker, ask);
    struct str trace = req_traceparent(rq);
    snprintf(job->traceparent, sizeof job->traceparent, "%.*s", (int)trace.n, trace.p);
    job->rq = rq;
    job->done = done;
    req_hold(rq);
    stripe_ask(worker->stripe, ask, on_result, job);
}

/* --- the database --- */

static enum status run(struct charge_worker *worker, struct sql_params *params, PGresult **res,
                       struct why *w) {
    if (worker->conn != NULL && PQstatus(worker->conn) != CONNECTION_OK) {
        PQfinish(worker->conn);
        worker->conn = NULL;
    }
    if (worker->conn == NULL)
        worker->conn = pg_open_prepared(worker->database_url, "payments-charge-worker", STATEMENT_MS,
                                        payments_background, w);
    enum status st = worker->conn == NULL ? ST_LOST : pg_run(worker->conn, params, res, w);
    if (st == ST_OK) {
        backoff_reset(&worker->retry);
        worker->said = (struct why){0};
    }
    return st;
}

/* Once, not at each try. */
static void log_trouble(struct charge_worker *worker, const char *what, const struct why *w) {
    if (log_news(&worker->said, w)) log_warn("charge_worker", "%s: %s", what, w->text);
}

/* --- what Stripe answered --- */

static void put_optional(struct sql_params *params, const char *text) {
    put_optional_text(params, str_of(text));
}

static void put_answer(struct sql_params *params, const struct stripe_job *job) {
    put_uuid(params, &job->ask.order);
    put_int(params, job->ask.attempt);
    put_text(params, str_of(job->input));
    put_optional(params, job->intent);
    put_optional(params, job->reason);
    put_optional(params, job->secret);
    put_optional(params, job->action);
    put_optional(params, job->traceparent);
}

/* Gives each job its charge. What an answer makes due is looked for at once. */
static void take_charges(struct charge_worker *worker, const PGresult *res, struct stripe_job **batch) {
    struct rows rows = {res, 0, PQntuples(res)};
    for (int i = 0; i < rows.count; i++) {
        struct charge charge;
        struct stripe_job *job = batch[row_int(&rows, i, 0) - 1];
        charge_read(&rows, i, &charge);
        job->charge = charge_copy(&charge);
        if (charge_in(&charge, "refunding") || charge_in(&charge, "abandoned") ||
            str_eq(charge.verdict, STR("replayed")))
            worker->sweep_at_us = 0;
        if (str_eq(charge.verdict, STR("refunded")) && charge_in(&charge, "refunded"))
            metric_add(M_REFUNDS, 1);
    }
}

/* ST_OK, or nothing of it was written. */
static enum status write_batch(struct charge_worker *worker, struct stripe_job **batch, int n,
                               struct why *w) {
    sql_params_reset(&worker->answers);
    for (int i = 0; i < n; i++)
        put_answer(&worker->answers, batch[i]);
    PGresult *res;
    enum status st = run(worker, &worker->answers, &res, w);
    if (st != ST_OK) return st;
    take_charges(worker, res, batch);
    PQclear(res);
    return ST_OK;
}

static bool is_stopping(struct charge_worker *worker) {
    pthread_mutex_lock(&worker->lock);
    bool stopping = worker->stopping;
    pthread_mutex_unlock(&worker->lock);
    return stopping;
}

/* Until it is time to try again, or the process stops. */
static void rest(struct charge_worker *worker) {
    backoff_fail(&worker->retry);
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping && thread_cond_wait(&worker->changed, &worker->lock, worker->retry.until_us))
        ;
    pthread_mutex_unlock(&worker->lock);
}

/* Tries until the answers are written, or the process stops: then the next start asks Stripe again. When the
 * database refuses a batch its halves are written, so that one bad answer keeps back no other. */
static void write_answers(struct charge_worker *worker, struct stripe_job **batch, int n) {
    struct why w = {0};
    enum status st;
    while ((st = write_batch(worker, batch, n, &w)) != ST_OK) {
        bool refused = st == ST_INVALID || st == ST_FAILED;
        if (refused)
            log_warn("charge_worker", "%d answers of Stripe are refused by the database: %s", n, w.text);
        else
            log_trouble(worker, "cannot write answers of Stripe", &w);
        if (refused && n > 1) {
            write_answers(worker, batch, n / 2);
            write_answers(worker, batch + n / 2, n - n / 2);
            return;
        }
        if (refused || is_stopping(worker)) break;
        if (st == ST_LOST) rest(worker);
    }
    for (int i = 0; i < n; i++)
        job_end(batch[i]);
}

static void write_all_answers(struct charge_worker *worker, struct inbox_item *list) {
    struct stripe_job *batch[BATCH];
    while (list != NULL) {
        int n = 0;
        for (; list != NULL && n < BATCH; list = list->next)
            batch[n++] = (struct stripe_job *)list;
        write_answers(worker, batch, n);
    }
}

/* --- what is due --- */

enum due_column {
    D_ORDER,
    D_ID,
    D_ATTEMPT,
    D_ASK,
    D_TOKEN,
    D_AMOUNT,
    D_CURRENCY,
    D_INTENT,
    D_TRIES,
    D_SENT_AGO_MS
};

static void copy_text(char *out, size_t size, const struct rows *rows, int row, int column) {
    struct str s = row_null(rows, row, column) ? (struct str){0} : row_text(rows, row, column);
    snprintf(out, size, "%.*s", (int)s.n, s.n == 0 ? "" : s.p);
}

/* false: it is one of those that take_due_charges put among the returns. */
static bool ask_due(struct charge_worker *worker, const struct rows *rows, int row) {
    struct stripe_ask ask = {.order = row_uuid(rows, row, D_ORDER),
                             .charge = row_uuid(rows, row, D_ID),
                             .attempt = (int)row_int(rows, row, D_ATTEMPT),
                             .amount = row_int(rows, row, D_AMOUNT),
                             .tries = (int)row_int(rows, row, D_TRIES),
                             .sent_ago_ms = row_int(rows, row, D_SENT_AGO_MS)};
    copy_text(ask.token, sizeof ask.token, rows, row, D_TOKEN);
    copy_text(ask.currency, sizeof ask.currency, rows, row, D_CURRENCY);
    copy_text(ask.intent, sizeof ask.intent, rows, row, D_INTENT);
    if (!stripe_question_parse(row_text(rows, row, D_ASK), &ask.question)) return false;
    stripe_ask(worker->stripe, &ask, on_result, job_new(worker, &ask));
    return true;
}

/* false: there may be more. */
static bool sweep_some(struct charge_worker *worker, struct sql_params *sweep) {
    int room = MOST_AT_STRIPE - stripe_waiting(worker->stripe);
    struct why w = {0};
    PGresult *res;
    if (room <= 0) return true;
    if (room > BATCH) room = BATCH;
    sql_params_reset(sweep);
    put_int(sweep, room);
    if (run(worker, sweep, &res, &w) != ST_OK) {
        log_trouble(worker, "cannot look for what is due", &w);
        return true;
    }
    struct rows rows = {res, 0, PQntuples(res)};
    for (int i = 0; i < rows.count; i++)
        if (ask_due(worker, &rows, i)) metric_add(M_CHARGES_SWEPT, 1);
    PQclear(res);
    return rows.count < room;
}

static void forget_webhooks(struct charge_worker *worker) {
    struct why w = {0};
    PGresult *res;
    sql_params_reset(&worker->forget);
    put_int(&worker->forget, FORGET_MOST);
    if (run(worker, &worker->forget, &res, &w) != ST_OK)
        log_trouble(worker, "cannot forget old webhooks", &w);
    else
        PQclear(res);
}

static void count_returns(struct charge_worker *worker) {
    struct why w = {0};
    PGresult *res;
    sql_params_reset(&worker->count);
    put_int(&worker->count, 0);
    if (run(worker, &worker->count, &res, &w) != ST_OK) {
        log_trouble(worker, "cannot count the refunds that are open", &w);
        return;
    }
    struct rows rows = {res, 0, PQntuples(res)};
    metric_set(M_OLDEST_OPEN_REFUND, row_int(&rows, 0, 0));
    metric_set(M_REFUNDS_STUCK, row_int(&rows, 0, 1));
    metric_set(M_OPEN_DISPUTES, row_int(&rows, 0, 2));
    metric_set(M_OLDEST_DUE_REFUND, row_int(&rows, 0, 3));
    metric_set(M_OLDEST_PENDING_REFUND, row_int(&rows, 0, 4));
    PQclear(res);
}

static void do_due(struct charge_worker *worker) {
    int64_t now_us = clock_mono_us();
    if (now_us >= worker->sweep_at_us) {
        worker->sweep_at_us = now_us + SWEEP_US;
        while (!is_stopping(worker) && !sweep_some(worker, &worker->charges))
            ;
        while (!is_stopping(worker) && !sweep_some(worker, &worker->returns)) /* those just opened, too */
            ;
    }
    if (now_us >= worker->forget_at_us) {
        worker->forget_at_us = now_us + FORGET_US;
        forget_webhooks(worker);
    }
    if (now_us >= worker->count_at_us) {
        worker->count_at_us = now_us + COUNT_US;
        count_returns(worker);
    }
}

/* --- the thread --- */

/* Waits for answers, or for the time of the next sweep. false: it is to stop, and no answers are left.
 * has_answers is cleared before they are taken, so what comes in between is not missed. */
static bool take_answers(struct charge_worker *worker, struct inbox_item **list) {
    pthread_mutex_lock(&worker->lock);
    while (!worker->has_answers && !worker->stopping && !worker->sweep_now &&
           thread_cond_wait(&worker->changed, &worker->lock, worker->sweep_at_us))
        ;
    if (worker->sweep_now) worker->sweep_at_us = 0;
    worker->has_answers = worker->sweep_now = false;
    bool stopping = worker->stopping;
    pthread_mutex_unlock(&worker->lock);
    *list = inbox_take(&worker->answered);
    return !stopping || *list != NULL;
}

static void *charge_worker_main(void *arg) {
    struct charge_worker *worker = arg;
    for (struct inbox_item *list; take_answers(worker, &list);) {
        write_all_answers(worker, list);
        if (!is_stopping(worker)) do_due(worker);
    }
    PQfinish(worker->conn);
    return NULL;
}

static void set(struct charge_worker *worker, bool *flag) {
    pthread_mutex_lock(&worker->lock);
    *flag = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

static void on_answers(void *arg) {
    struct charge_worker *worker = arg;
    set(worker, &worker->has_answers);
}

void charge_worker_wake(struct charge_worker *worker) {
    set(worker, &worker->sweep_now);
}

/* --- its life --- */

static void init_lock(struct charge_worker *worker) {
    pthread_mutex_init(&worker->lock, NULL);
    thread_cond_init(&worker->changed);
}

struct charge_worker *charge_worker_start(const struct charge_worker_options *options) {
    struct charge_worker *worker = mem_alloc(sizeof *worker);
    metrics_register(charge_metrics);
    worker->database_url = mem_strdup(options->database_url);
    worker->retry = (struct backoff){.first_ms = FIRST_RETRY_MS, .most_ms = LAST_RETRY_MS};
    worker->stripe = stripe_start(&options->stripe);
    worker->search_lag_ms = options->search_lag_ms;
    sql_params_init(&worker->answers, &sql_write_answers);
    sql_params_init(&worker->charges, &sql_take_due_charges);
    sql_params_init(&worker->returns, &sql_take_due_returns);
    sql_params_init(&worker->count, &sql_count_returns);
    sql_params_init(&worker->forget, &sql_forget_webhooks);
    init_lock(worker);
    inbox_init(&worker->answered, on_answers, worker);
    worker->thread = thread_start("charge-worker", charge_worker_main, worker);
    return worker;
}

/* Of answers that came too late. */
static void end_all(struct inbox_item *list) {
    for (struct inbox_item *next; list != NULL; list = next) {
        next = list->next;
        job_end((struct stripe_job *)list);
    }
}

void charge_worker_free(struct charge_worker *worker) {
    set(worker, &worker->stopping);
    pthread_join(worker->thread, NULL);
    stripe_free(worker->stripe);
    end_all(inbox_take(&worker->answered));
    inbox_destroy(&worker->answered);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    sql_params_free(&worker->answers);
    sql_params_free(&worker->charges);
    sql_params_free(&worker->returns);
    sql_params_free(&worker->count);
    sql_params_free(&worker->forget);
    free(worker->database_url);
    free(worker);
}
