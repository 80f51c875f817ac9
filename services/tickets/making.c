#include "making.h"

#include <stdlib.h>

#include "backoff.h"
#include "clock.h"
#include "log.h"
#include "making_metrics.h"
#include "mem.h"
#include "pg.h"
#include "queries.h"
#include "thread.h"

enum {
    LOOK_US = 1000 * 1000, /* how often it looks without being woken */
    BUSY_US = 20 * 1000,   /* and when another replica, or the consumer, is at what there is to do */
    MOST = 64,             /* of a statement: as blocks up to 3,840 tickets, some 50 ms */
    STATEMENT_MS = 60 * 1000,
    FIRST_RETRY_MS = 200, /* after the database was lost */
    LAST_RETRY_MS = 2000,
};

/* A statement that takes how many blocks (or pictures) to do, and answers how many it did, and how many areas
 * it found. */
struct job {
    struct sql_params params;
    struct metric *done;
};
enum { MAKE, WITHDRAW, FORGET, JOBS };

struct making {
    char *database_url;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the next two */
    pthread_cond_t changed;
    bool woken, stopping;

    /* the thread's alone */
    PGconn *conn;
    struct backoff retry;
    struct why said; /* the error of the database that was logged last */
    struct job jobs[JOBS];
};

static enum status run(struct making *making, struct sql_params *params, PGresult **res, struct why *w) {
    if (making->conn != NULL && PQstatus(making->conn) != CONNECTION_OK) {
        PQfinish(making->conn);
        making->conn = NULL;
    }
    if (making->conn == NULL)
        making->conn =
            pg_open_prepared(making->database_url, "tickets-making", STATEMENT_MS, tickets_background, w);
    return making->conn == NULL ? ST_LOST : pg_run(making->conn, params, res, w);
}

/* What one statement of a job found. */
enum found { NOTHING, BUSY, MORE, TROUBLE };

static enum found do_some(struct making *making, struct job *job) {
    struct why w = {0};
    PGresult *res;
    sql_params_reset(&job->params);
    put_int(&job->params, MOST);
    if (run(making, &job->params, &res, &w) != ST_OK) {
        if (log_news(&making->said, &w)) log_warn("making", "%s: %s", job->params.sql->name, w.text);
        return TROUBLE;
    }
    struct rows rows = {res, 0, PQntuples(res)};
    int64_t done = row_int(&rows, 0, 0), areas = row_int(&rows, 0, 1);
    PQclear(res);
    backoff_reset(&making->retry);
    making->said = (struct why){0};
    metric_add(job->done, done);
    return done > 0 ? MORE : areas > 0 ? BUSY : NOTHING;
}

/* Until then, or until it is woken. false: it is to stop. */
static bool wait_until(struct making *making, int64_t until_us) {
    pthread_mutex_lock(&making->lock);
    while (!making->woken && !making->stopping && thread_cond_wait(&making->changed, &making->lock, until_us))
        ;
    making->woken = false;
    bool stopping = making->stopping;
    pthread_mutex_unlock(&making->lock);
    return !stopping;
}

static int64_t pause_us(struct making *making, enum found found) {
    switch (found) {
    case MORE:
        return 0;
    case BUSY:
        return BUSY_US;
    case TROUBLE:
        return backoff_fail(&making->retry) * INT64_C(1000);
    default:
        return LOOK_US;
    }
}

static void *making_main(void *arg) {
    struct making *making = arg;
    enum found found;
    do {
        found = NOTHING;
        for (int i = 0; i < JOBS && found != TROUBLE; i++) {
            enum found of_job = do_some(making, &making->jobs[i]);
            if (of_job > found) found = of_job;
        }
    } while (wait_until(making, clock_mono_us() + pause_us(making, found)));
    PQfinish(making->conn);
    return NULL;
}

static void set(struct making *making, bool *flag) {
    pthread_mutex_lock(&making->lock);
    *flag = true;
    pthread_cond_signal(&making->changed);
    pthread_mutex_unlock(&making->lock);
}

void making_wake(struct making *making) {
    set(making, &making->woken);
}

struct making *making_start(const char *database_url) {
    struct making *making = mem_alloc(sizeof *making);
    metrics_register(making_metrics);
    making->database_url = mem_strdup(database_url);
    making->retry = (struct backoff){.first_ms = FIRST_RETRY_MS, .most_ms = LAST_RETRY_MS};
    sql_params_init(&making->jobs[MAKE].params, &sql_make_places);
    making->jobs[MAKE].done = M_BLOCKS_MADE;
    sql_params_init(&making->jobs[WITHDRAW].params, &sql_withdraw_places);
    making->jobs[WITHDRAW].done = M_BLOCKS_WITHDRAWN;
    sql_params_init(&making->jobs[FORGET].params, &sql_forget_pictures);
    making->jobs[FORGET].done = M_PICTURES_FORGOTTEN;
    pthread_mutex_init(&making->lock, NULL);
    thread_cond_init(&making->changed);
    making->thread = thread_start("making", making_main, making);
    return making;
}

void making_free(struct making *making) {
    set(making, &making->stopping);
    pthread_join(making->thread, NULL);
    pthread_cond_destroy(&making->changed);
    pthread_mutex_destroy(&making->lock);
    for (int i = 0; i < JOBS; i++)
        sql_params_free(&making->jobs[i].params);
    free(making->database_url);
    free(making);
}
