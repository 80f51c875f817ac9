#include "webhooks.h"

#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backoff.h"
#include "clock.h"
#include "fetch.h"
#include "hex.h"
#include "log.h"
#include "mem.h"
#include "pg.h"
#include "queries.h"
#include "thread.h"

enum {
    WINDOW = 128,             /* deliveries on their way; get_due_events.sql knows it too */
    TIMEOUT_MS = 10 * 1000,   /* of one */
    LONGEST_WAIT_MS = 1000,   /* without being woken */
    MOST_DOUBLINGS = 12,      /* of the time to the next try */
    FORGET_US = 60 * 1000000, /* how often what is old is deleted */
    REMEMBER_HOURS = 24,      /* as Stripe does */
};

struct delivery {
    struct webhooks *owner;
    int64_t seq;
    int tries;
    _Atomic enum {
        FREE,
        ON_ITS_WAY,
        ARRIVED,
        FAILED
    } state; /* the thread's, but while it is on its way: then fetch's */
};

struct webhooks {
    pthread_t id;
    const char *database_url;
    const struct faults *faults;
    struct fetch *fetch;
    PGconn *conn; /* of the thread, as the next */
    struct sql_params due, delivered, forget;
    int64_t forget_us;
    struct delivery deliveries[WINDOW];
    pthread_mutex_t lock; /* of what follows; never held for long, as requests wake */
    pthread_cond_t changed;
    bool woken, stopping;
    char *url, *secret;
};

void webhook_signature(char out[SIGNATURE_TEXT], int64_t unix_s, const char *secret, struct str body) {
    struct buf signed_text = {0};
    char time[32];
    unsigned char mac[32];
    unsigned n = sizeof mac;
    buf_add(&signed_text, time, (size_t)snprintf(time, sizeof time, "%lld.", (long long)unix_s));
    buf_add(&signed_text, body.p, body.n);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), signed_text.data, signed_text.len, mac, &n);
    buf_free(&signed_text);
    char *p = out + snprintf(out, SIGNATURE_TEXT, "t=%lld,v1=", (long long)unix_s);
    *hex_encode(mac, n, p) = '\0';
}

/* --- to and fro --- */

static void on_answer(void *ctx, const struct fetch_answer *answer) {
    struct delivery *d = ctx;
    struct webhooks *w = d->owner;
    d->state = answer->st == ST_OK && answer->code / 100 == 2 ? ARRIVED : FAILED;
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static struct delivery *free_delivery(struct webhooks *w) {
    for (int i = 0; i < WINDOW; i++)
        if (w->deliveries[i].state == FREE) return &w->deliveries[i];
    return NULL;
}

struct target {
    char *url, *secret;
};

static void deliver(struct webhooks *w, const struct target *to, int64_t seq, int tries, struct str body) {
    struct delivery *d = free_delivery(w);
    d->owner = w;
    d->seq = seq;
    d->tries = tries;
    d->state = *to->url == '\0' ? ARRIVED : ON_ITS_WAY;
    if (d->state == ARRIVED) return;
    char signature[sizeof "Stripe-Signature: " + SIGNATURE_TEXT] = "Stripe-Signature: ";
    webhook_signature(signature + strlen(signature), clock_wall_us() / 1000000, to->secret, body);
    const char *const headers[] = {"Content-Type: application/json; charset=utf-8",
                                   "User-Agent: Stripe/1.0 (stripe-sandbox)", signature, NULL};
    fetch_submit(
        w->fetch,
        &(struct fetch_request){
            .method = "POST", .url = to->url, .headers = headers, .body = body, .timeout_ms = TIMEOUT_MS},
        on_answer, d);
}

/* --- the database --- */

static PGresult *run(struct webhooks *w, struct sql_params *params, struct why *why) {
    PGresult *res;
    pg_run(w->conn, params, &res, why);
    return res;
}

static bool run_and_drop(struct webhooks *w, struct sql_params *params, struct why *why) {
    PGresult *res = run(w, params, why);
    PQclear(res);
    return res != NULL;
}

static bool connect_to(struct webhooks *w, struct why *why) {
    if (w->conn == NULL)
        w->conn = pg_open_prepared(w->database_url, "stripe-sandbox-webhooks", TIMEOUT_MS,
                                   stripe_sandbox_background, why);
    return w->conn != NULL;
}

/* Twice as late each time. */
static int64_t next_try_us(const struct webhooks *w, const struct delivery *d) {
    int64_t ms = faults_delay(w->faults, DELAY_WEBHOOK_RETRY);
    return clock_wall_us() + (ms << (d->tries < MOST_DOUBLINGS ? d->tries : MOST_DOUBLINGS)) * 1000;
}

/* Writes how deliveries ended, and only then frees their places: until then none of them is begun again. */
static bool settle(struct webhooks *w, struct why *why) {
    struct delivery *over[WINDOW];
    int n = 0;
    sql_params_reset(&w->delivered);
    for (int i = 0; i < WINDOW; i++)
        if (w->deliveries[i].state >= ARRIVED) over[n++] = &w->deliveries[i];
    for (int i = 0; i < n; i++) {
        bool arrived = over[i]->state == ARRIVED;
        put_int(&w->delivered, over[i]->seq);
        put_bool(&w->delivered, arrived);
        put_time(&w->delivered, arrived ? clock_wall_us() : next_try_us(w, over[i]));
    }
    if (n > 0 && !run_and_drop(w, &w->delivered, why)) return false;
    for (int i = 0; i < n; i++)
        over[i]->state = FREE;
    return true;
}

static struct target current_target(struct webhooks *w) {
    pthread_mutex_lock(&w->lock);
    struct target to = {mem_strdup(w->url), mem_strdup(w->secret)};
    w->woken = false; /* what is new from now on is not among what is asked for next */
    pthread_mutex_unlock(&w->lock);
    return to;
}

static PGresult *ask_due(struct webhooks *w, struct why *why) {
    sql_params_reset(&w->due);
    put_int(&w->due, 0);
    for (int i = 0; i < WINDOW; i++)
        if (w->deliveries[i].state != FREE) put_int(&w->due, w->deliveries[i].seq);
    return run(w, &w->due, why);
}

/* Sends what is due; *wait_ms: until the next is. */
static bool send_due(struct webhooks *w, int *wait_ms, struct why *why) {
    struct target to = current_target(w);
    PGresult *res = ask_due(w, why);
    struct rows rows = {res, 0, PQntuples(res)};
    for (int i = 0; i < rows.count; i++) {
        int64_t early_us = row_time(&rows, i, 3) - clock_wall_us();
        if (early_us > 0) {
            if (early_us < LONGEST_WAIT_MS * 1000) *wait_ms = (int)(early_us / 1000) + 1;
            break;
        }
        deliver(w, &to, row_int(&rows, i, 0), (int)row_int(&rows, i, 2), row_text(&rows, i, 1));
    }
    PQclear(res);
    free(to.url);
    free(to.secret);
    return res != NULL;
}

static bool forget(struct webhooks *w, struct why *why) {
    if (clock_mono_us() < w->forget_us) return true;
    w->forget_us = clock_mono_us() + FORGET_US;
    sql_params_reset(&w->forget);
    put_int(&w->forget, REMEMBER_HOURS);
    return run_and_drop(w, &w->forget, why);
}

/* --- the thread --- */

static bool anything_over(const struct webhooks *w) {
    for (int i = 0; i < WINDOW; i++)
        if (w->deliveries[i].state >= ARRIVED) return true;
    return false;
}

/* Until something is to be done. */
static void wait_for_work(struct webhooks *w, int ms, bool only_to_stop) {
    int64_t until_us = clock_mono_us() + ms * INT64_C(1000);
    bool in_time = true;
    pthread_mutex_lock(&w->lock);
    while (in_time && !w->stopping && (only_to_stop || (!w->woken && !anything_over(w))))
        in_time = thread_cond_wait(&w->changed, &w->lock, until_us);
    pthread_mutex_unlock(&w->lock);
}

static bool is_stopping(struct webhooks *w) {
    pthread_mutex_lock(&w->lock);
    bool stopping = w->stopping;
    pthread_mutex_unlock(&w->lock);
    return stopping;
}

static void *webhooks_main(void *webhooks) {
    struct webhooks *w = webhooks;
    struct backoff retry = {.first_ms = 50, .most_ms = LONGEST_WAIT_MS};
    struct why said = {0};
    while (!is_stopping(w)) {
        struct why why;
        int wait_ms = LONGEST_WAIT_MS;
        bool ok = connect_to(w, &why) && settle(w, &why) && send_due(w, &wait_ms, &why) && forget(w, &why);
        if (ok) {
            backoff_reset(&retry);
            said = (struct why){0};
        } else {
            wait_ms = backoff_fail(&retry);
            if (log_news(&said, &why)) log_warn("webhooks", "trying again: %s", why.text);
            PQfinish(w->conn);
            w->conn = NULL;
        }
        wait_for_work(w, wait_ms, !ok);
    }
    return NULL;
}

static void init_lock(struct webhooks *w) {
    pthread_mutex_init(&w->lock, NULL);
    thread_cond_init(&w->changed);
}

struct webhooks *webhooks_new(const char *database_url, const struct faults *faults) {
    struct webhooks *w = mem_alloc(sizeof *w);
    w->database_url = database_url;
    w->faults = faults;
    w->url = mem_strdup("");
    w->secret = mem_strdup("");
    sql_params_init(&w->due, &sql_get_due_events);
    sql_params_init(&w->delivered, &sql_write_deliveries);
    sql_params_init(&w->forget, &sql_forget_old);
    init_lock(w);
    w->fetch = fetch_start(
        &(struct fetch_options){.connections = WINDOW, .connect_timeout_ms = 1000, .max_answer = 64 * 1024});
    return w;
}

void webhooks_start(struct webhooks *w) {
    w->id = thread_start("webhooks", webhooks_main, w);
}

void webhooks_free(struct webhooks *w) {
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->id, NULL);
    fetch_free(w->fetch);
    PQfinish(w->conn);
    sql_params_free(&w->due);
    sql_params_free(&w->delivered);
    sql_params_free(&w->forget);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w->url);
    free(w->secret);
    free(w);
}

void webhooks_target(struct webhooks *w, struct str url, struct str secret) {
    pthread_mutex_lock(&w->lock);
    free(w->url);
    free(w->secret);
    w->url = strndup(url.p, url.n);
    w->secret = strndup(secret.p, secret.n);
    pthread_mutex_unlock(&w->lock);
}

void webhooks_wake(struct webhooks *w) {
    pthread_mutex_lock(&w->lock);
    w->woken = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}
