#include "charge_upkeep.h"

#include "charge_metrics.h"
#include "clock.h"
#include "queries.h"

enum {
    FORGET_US = 600 * 1000 * 1000,
    FORGET_MOST = 1000,
    FORGET_MOST_DECLINES = 20000,
    COUNT_US = 5 * 1000 * 1000,
    REFUSED_US = 5 * 1000 * 1000,
};

/* A statement with one number. NULL: it failed, and that is logged as what could not be done. */
static PGresult *ask(struct charge_db *db, struct sql_params *params, int64_t number, const char *trouble) {
    struct why w = {0};
    PGresult *res;
    sql_params_reset(params);
    put_int(params, number);
    if (charge_db_run(db, params, &res, &w) == ST_OK) return res;
    charge_db_trouble(db, trouble, &w);
    return NULL;
}

static struct rows rows_of(const PGresult *res) {
    return (struct rows){res, 0, PQntuples(res)};
}

static void forget(struct charge_upkeep *u, struct charge_db *db) {
    PQclear(ask(db, &u->forget, FORGET_MOST, "cannot forget old webhooks"));
    PQclear(ask(db, &u->forget_declines, FORGET_MOST_DECLINES, "cannot forget old declines"));
}

static void get_refused(struct charge_upkeep *u, struct charge_db *db) {
    PGresult *res = ask(db, &u->get_refused, u->card_most, "cannot look for cards that are refused");
    if (res == NULL) return;
    struct rows rows = rows_of(res);
    refused_cards_set(u->refused, &rows);
    metric_set(M_REFUSED_CARDS, rows.count);
    PQclear(res);
}

static void count_returns(struct charge_upkeep *u, struct charge_db *db) {
    PGresult *res = ask(db, &u->count_returns, 0, "cannot count the refunds that are open");
    if (res == NULL) return;
    struct rows rows = rows_of(res);
    metric_set(M_OLDEST_OPEN_REFUND, row_int(&rows, 0, 0));
    metric_set(M_REFUNDS_STUCK, row_int(&rows, 0, 1));
    metric_set(M_OPEN_DISPUTES, row_int(&rows, 0, 2));
    metric_set(M_OLDEST_DUE_REFUND, row_int(&rows, 0, 3));
    metric_set(M_OLDEST_PENDING_REFUND, row_int(&rows, 0, 4));
    PQclear(res);
}

static void count_line(struct charge_upkeep *u, struct charge_db *db) {
    PGresult *res = ask(db, &u->count_line, 0, "cannot count the payments that wait");
    if (res == NULL) return;
    struct rows rows = rows_of(res);
    metric_set(M_WAITING, row_int(&rows, 0, 0));
    metric_set(M_OLDEST_WAITING, row_int(&rows, 0, 1));
    metric_set(M_PACE, u->paced ? row_int(&rows, 0, 2) : 0);
    PQclear(res);
}

static void count_tries(struct charge_upkeep *u, struct charge_db *db) {
    PGresult *res = ask(db, &u->count_tries, 0, "cannot count the payments that were declined");
    if (res == NULL) return;
    struct rows rows = rows_of(res);
    metric_set(M_DECLINED, row_int(&rows, 0, 0));
    metric_set(M_PAID, row_int(&rows, 0, 1));
    PQclear(res);
}

void charge_upkeep_do(struct charge_upkeep *u, struct charge_db *db) {
    int64_t now_us = clock_mono_us();
    if (now_us >= u->forget_at_us) {
        u->forget_at_us = now_us + FORGET_US;
        forget(u, db);
    }
    if (u->card_most > 0 && now_us >= u->refused_at_us) {
        u->refused_at_us = now_us + REFUSED_US;
        get_refused(u, db);
    }
    if (now_us >= u->count_at_us) {
        u->count_at_us = now_us + COUNT_US;
        count_returns(u, db);
        count_line(u, db);
        count_tries(u, db);
    }
}

void charge_upkeep_init(struct charge_upkeep *u, bool paced, int64_t card_most,
                        struct refused_cards *refused) {
    *u = (struct charge_upkeep){.paced = paced, .card_most = card_most, .refused = refused};
    sql_params_init(&u->forget, &sql_forget_webhooks);
    sql_params_init(&u->count_returns, &sql_count_returns);
    sql_params_init(&u->count_line, &sql_count_line);
    sql_params_init(&u->forget_declines, &sql_forget_declines);
    sql_params_init(&u->count_tries, &sql_count_tries);
    sql_params_init(&u->get_refused, &sql_get_refused_cards);
}

void charge_upkeep_free(struct charge_upkeep *u) {
    sql_params_free(&u->forget);
    sql_params_free(&u->count_returns);
    sql_params_free(&u->count_line);
    sql_params_free(&u->forget_declines);
    sql_params_free(&u->count_tries);
    sql_params_free(&u->get_refused);
}
