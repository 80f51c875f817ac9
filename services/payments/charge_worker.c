#include "charge_worker.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "charge_db.h"
#include "charge_metrics.h"
#include "charge_upkeep.h"
#include "clock.h"
#include "inbox.h"
#include "log.h"
#include "mem.h"
#include "queries.h"
#include "refused_cards.h"
#include "thread.h"

enum {
    SWEEP_US = 1000 * 1000, /* how often it looks for charges that are due */
    TICK_US = 50 * 1000,    /* the same, while some wait for their turn */
    BATCH = 500,            /* answers of one statement */
    MOST_AT_STRIPE = 2000,  /* found by the sweep and not answered: more would only wait in our queue */
    OF_PAYMENTS = 800, /* thousandths of the limit, so that neither keeps the other from Stripe; the rest is
                          what may have been saved up (functions/take_turns.sql) */
    OF_OTHERS = 100,
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
    char *intent, *reason, *secret, *action, *brand, *last4, *fingerprint;
    struct charge *charge; /* as it is now */
};

struct charge_worker {
    int64_t search_lag_ms, rate;
    struct stripe *stripe;
    struct refused_cards *refused;
    struct inbox answered; /* jobs, from Stripe's thread */
    pthread_t thread;
    pthread_mutex_t lock; /* guards the next six */
    pthread_cond_t changed;
    bool has_answers, sweep_now, stopping, limited;
    int after_s; /* limited: for how long Stripe wants no request */

    /* the thread's alone */
    struct charge_db db;
    struct charge_upkeep upkeep;
    struct sql_params answers, payments, looks, returns, slow_down;
    bool some_wait, returns_first;
    int64_t swept_at_us, sweep_at_us;
};

/* --- jobs --- */

static void job_free(struct stripe_job *job) {
    free(job->intent);
    free(job->reason);
    free(job->secret);
    free(job->action);
    free(job->brand);
    free(job->last4);
    free(job->fingerprint);
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
        job->brand = copy_of(other.brand);
        job->last4 = copy_of(other.last4);
        inbox_put(&worker->answered, &job->item);
    }
}

/* A search does not find yet what is new: only later is there certainly none. */
static bool is_early(const struct charge_worker *worker, const struct stripe_ask *ask, const char *input) {
    return strcmp(input, "absent") == 0 && ask->sent_ago_ms < worker->search_lag_ms;
}

static void note_limit(struct charge_worker *worker, int after_s) {
    pthread_mutex_lock(&worker->lock);
    worker->limited = true;
    if (after_s > worker->after_s) worker->after_s = after_s;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

/* On Stripe's thread. */
static void on_result(void *ctx, const struct stripe_ask *ask, const struct stripe_result *result) {
    struct stripe_job *job = ctx;
    struct charge_worker *worker = job->worker;
    if (result->limited && worker->rate > 0) note_limit(worker, result->after_s);
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
    job->brand = copy_of(result->brand);
    job->last4 = copy_of(result->last4);
    job->fingerprint = copy_of(result->fingerprint);
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
    put_optional(params, job->brand);
    put_optional(params, job->last4);
    put_optional(params, job->fingerprint);
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
    enum status st = charge_db_run(&worker->db, &worker->answers, &res, w);
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
    backoff_fail(&worker->db.retry);
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping && thread_cond_wait(&worker->changed, &worker->lock, worker->db.retry.until_us))
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
            charge_db_trouble(&worker->db, "cannot write answers of Stripe", &w);
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
    D_SENT_AGO_MS,
    D_USER, /* this and the next: of payments alone */
    D_ADDRESS,
    D_EMAIL,
    D_WARY
};

static void copy_text(char *out, size_t size, const struct rows *rows, int row, int column) {
    struct str s = row_null(rows, row, column) ? (struct str){0} : row_text(rows, row, column);
    snprintf(out, size, "%.*s", (int)s.n, s.n == 0 ? "" : s.p);
}

static void read_buyer(struct stripe_ask *ask, const struct rows *rows, int row) {
    if (PQnfields(rows->result) <= D_USER || row_null(rows, row, D_USER)) return;
    ask->user = row_uuid(rows, row, D_USER);
    copy_text(ask->address, sizeof ask->address, rows, row, D_ADDRESS);
    copy_text(ask->email, sizeof ask->email, rows, row, D_EMAIL);
    ask->wary = !row_null(rows, row, D_WARY) && row_bool(rows, row, D_WARY);
}

/* false: it is none; one that was put among the returns, or that some wait for their turn. */
static bool ask_due(struct charge_worker *worker, const struct rows *rows, int row) {
    enum stripe_question question;
    struct str asked = row_text(rows, row, D_ASK);
    if (str_eq(asked, STR("wait"))) worker->some_wait = true;
    if (!stripe_question_parse(asked, &question)) return false;
    struct stripe_ask ask = {.question = question,
                             .order = row_uuid(rows, row, D_ORDER),
                             .charge = row_uuid(rows, row, D_ID),
                             .attempt = (int)row_int(rows, row, D_ATTEMPT),
                             .amount = row_int(rows, row, D_AMOUNT),
                             .tries = (int)row_int(rows, row, D_TRIES),
                             .sent_ago_ms = row_int(rows, row, D_SENT_AGO_MS)};
    copy_text(ask.token, sizeof ask.token, rows, row, D_TOKEN);
    copy_text(ask.currency, sizeof ask.currency, rows, row, D_CURRENCY);
    copy_text(ask.intent, sizeof ask.intent, rows, row, D_INTENT);
    read_buyer(&ask, rows, row);
    stripe_ask(worker->stripe, &ask, on_result, job_new(worker, &ask));
    return true;
}

/* false: there may be more. */
static bool sweep_some(struct charge_worker *worker, struct sql_params *sweep) {
    bool creates = sweep == &worker->payments;
    int room = MOST_AT_STRIPE - stripe_waiting(worker->stripe);
    struct why w = {0};
    PGresult *res;
    if (room <= 0) return true;
    if (room > BATCH) room = BATCH;
    sql_params_reset(sweep);
    put_int(sweep, room);
    put_int(sweep, worker->rate * (creates ? OF_PAYMENTS : OF_OTHERS));
    put_int(sweep, stripe_extra(worker->stripe, creates));
    if (creates) put_bool(sweep, charge_worker_refuses_cards(worker));
    if (charge_db_run(&worker->db, sweep, &res, &w) != ST_OK) {
        charge_db_trouble(&worker->db, "cannot look for what is due", &w);
        return true;
    }
    struct rows rows = {res, 0, PQntuples(res)};
    for (int i = 0; i < rows.count; i++)
        if (ask_due(worker, &rows, i)) metric_add(M_CHARGES_SWEPT, 1);
    PQclear(res);
    return rows.count < room;
}

/* Stripe said that there were too many requests. */
static void slow_down(struct charge_worker *worker) {
    struct why w = {0};
    PGresult *res;
    pthread_mutex_lock(&worker->lock);
    bool limited = worker->limited;
    int after_s = worker->after_s;
    worker->limited = false;
    worker->after_s = 0;
    pthread_mutex_unlock(&worker->lock);
    if (!limited) return;
    sql_params_reset(&worker->slow_down);
    put_int(&worker->slow_down, after_s);
    if (charge_db_run(&worker->db, &worker->slow_down, &res, &w) != ST_OK)
        charge_db_trouble(&worker->db, "cannot slow down", &w);
    else
        PQclear(res);
}

static void sweep(struct charge_worker *worker, struct sql_params *what) {
    while (!is_stopping(worker) && !sweep_some(worker, what))
        ;
}

/* Looks and returns share a lane, and go first in turn. Without a limit returns come last, as looks open
 * some. */
static void sweep_all(struct charge_worker *worker) {
    worker->some_wait = false;
    worker->returns_first = worker->rate > 0 && !worker->returns_first;
    sweep(worker, &worker->payments);
    if (worker->returns_first) sweep(worker, &worker->returns);
    sweep(worker, &worker->looks);
    if (!worker->returns_first) sweep(worker, &worker->returns);
}

static void do_due(struct charge_worker *worker) {
    int64_t now_us = clock_mono_us();
    slow_down(worker);
    if (now_us >= worker->sweep_at_us) {
        worker->swept_at_us = now_us;
        worker->sweep_at_us = now_us + SWEEP_US;
        sweep_all(worker);
        if (worker->some_wait) worker->sweep_at_us = now_us + TICK_US;
    }
    charge_upkeep_do(&worker->upkeep, &worker->db);
}

/* --- the thread --- */

/* Waits for answers, or for the time of the next sweep. false: it is to stop, and no answers are left.
 * has_answers is cleared before they are taken, so what comes in between is not missed. With a limit each
 * payment wakes the worker, which looks as often as when some wait. */
static bool take_answers(struct charge_worker *worker, struct inbox_item **list) {
    pthread_mutex_lock(&worker->lock);
    while (!worker->has_answers && !worker->stopping && !worker->sweep_now && !worker->limited &&
           thread_cond_wait(&worker->changed, &worker->lock, worker->sweep_at_us))
        ;
    if (worker->sweep_now) worker->sweep_at_us = worker->rate > 0 ? worker->swept_at_us + TICK_US : 0;
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

bool charge_worker_refuses_cards(const struct charge_worker *worker) {
    return refused_cards_any(worker->refused);
}

static bool refuses(void *ctx, struct str fingerprint) {
    const struct charge_worker *worker = ctx;
    return refused_cards_have(worker->refused, fingerprint);
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
    charge_db_init(&worker->db, options->database_url);
    worker->refused = refused_cards_new();
    charge_upkeep_init(&worker->upkeep, options->rate > 0, options->card_most, worker->refused);
    struct stripe_options stripe = options->stripe;
    stripe.refuses = options->card_most > 0 ? refuses : NULL;
    stripe.refuses_ctx = worker;
    worker->stripe = stripe_start(&stripe);
    worker->search_lag_ms = options->search_lag_ms;
    worker->rate = options->rate;
    sql_params_init(&worker->answers, &sql_write_answers);
    sql_params_init(&worker->payments, &sql_take_payments);
    sql_params_init(&worker->looks, &sql_take_looks);
    sql_params_init(&worker->returns, &sql_take_returns);
    sql_params_init(&worker->slow_down, &sql_slow_down);
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
    sql_params_free(&worker->payments);
    sql_params_free(&worker->looks);
    sql_params_free(&worker->slow_down);
    sql_params_free(&worker->returns);
    charge_upkeep_free(&worker->upkeep);
    refused_cards_free(worker->refused);
    charge_db_free(&worker->db);
    free(worker);
}
