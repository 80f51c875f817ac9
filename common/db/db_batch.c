#include "priv/db_batch.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "mem.h"

/* A statement has one batch open and one on its way; more when they are full, or while a failed one is being
 * halved. */
enum { SPARE_BATCHES = 4 };
/* A batch that grew beyond this (many long texts at once) is not kept: an idle service stays small. */
enum { SPARE_BYTES = 256 * 1024 };

void db_batch_append(struct db_batch_list *list, struct db_batch *b) {
    b->next = NULL;
    if (list->first == NULL) {
        list->first = b;
    } else {
        list->last->next = b;
    }
    list->last = b;
}

void db_batch_prepend(struct db_batch_list *list, struct db_batch *b) {
    b->next = list->first;
    if (list->first == NULL) list->last = b;
    list->first = b;
}

struct db_batch *db_batch_take(struct db_batch_list *list) {
    struct db_batch *b = list->first;
    if (b == NULL) return NULL;
    list->first = b->next;
    b->next = NULL;
    return b;
}

static int64_t due_us(const struct db_batch *b) {
    const struct db_statement *s = b->statement;
    bool full = b->nwaiters == s->batch_items;
    return full ? b->opened_us : b->opened_us + s->sql->gather_ms * INT64_C(1000);
}

struct db_batch *db_batch_take_due(struct db_batch_list *list, int64_t now_us, int64_t *at_us) {
    *at_us = INT64_MAX;
    for (struct db_batch *b = list->first, *before = NULL; b != NULL; before = b, b = b->next) {
        int64_t ready_us = due_us(b);
        if (ready_us > now_us) {
            if (ready_us < *at_us) *at_us = ready_us;
            continue;
        }
        if (before == NULL) return db_batch_take(list);
        before->next = b->next;
        if (list->last == b) list->last = before;
        b->next = NULL;
        return b;
    }
    return NULL;
}

static struct db_batch *batch_new(struct db_statement *s) {
    struct db_batch *b = s->spare;
    if (b != NULL) {
        s->spare = b->next;
        s->nspare--;
        b->next = NULL;
        return b;
    }
    b = mem_alloc(sizeof *b);
    b->statement = s;
    sql_params_init(&b->params, s->sql);
    b->waiters = mem_alloc((size_t)s->batch_items * sizeof *b->waiters);
    return b;
}

struct db_batch *db_batch_open(struct db_statement *s) {
    struct db_batch *b = batch_new(s);
    b->opened_us = clock_mono_us();
    s->open = b;
    return b;
}

struct db_batch *db_batch_part(const struct db_batch *b, int first, int count) {
    struct db_batch *part = batch_new(b->statement);
    part->opened_us = b->opened_us;
    sql_params_copy(&part->params, &b->params, first, count);
    memcpy(part->waiters, b->waiters + first, (size_t)count * sizeof *b->waiters);
    part->nwaiters = count;
    return part;
}

static void batch_free(struct db_batch *b) {
    PQclear(b->result);
    sql_params_free(&b->params);
    free(b->waiters);
    free(b);
}

static size_t batch_bytes(const struct db_batch *b) {
    size_t bytes = 0;
    for (int i = 0; i < b->params.sql->nparams; i++)
        bytes += b->params.arrays[i].cap;
    return bytes;
}

void db_batch_release(struct db_batch *b) {
    struct db_statement *s = b->statement;
    if (s->nspare == SPARE_BATCHES || batch_bytes(b) > SPARE_BYTES) {
        batch_free(b);
        return;
    }
    PQclear(b->result);
    b->result = NULL;
    sql_params_reset(&b->params);
    b->nwaiters = b->tries = 0;
    b->next = s->spare;
    s->spare = b;
    s->nspare++;
}

void db_batch_free_spare(struct db_statement *s) {
    for (struct db_batch *b = s->spare, *next; b != NULL; b = next) {
        next = b->next;
        batch_free(b);
    }
    s->spare = NULL;
    s->nspare = 0;
}

static int64_t ordinal(const PGresult *result, int row) {
    struct rows all = {result, 0, PQntuples(result)};
    return row_int(&all, row, 0);
}

bool db_batch_rows_valid(const struct db_batch *b, struct why *w) {
    int rows = PQntuples(b->result);
    int64_t last = 1;
    for (int row = 0; row < rows; row++) {
        if (PQgetisnull(b->result, row, 0)) {
            why(w, ST_FAILED, "row %d has no ordinal", row + 1);
            return false;
        }
        int64_t here = ordinal(b->result, row);
        if (here < last || here > b->nwaiters) {
            why(w, ST_FAILED,
                "row %d is for item %lld, after item %lld, of %d: the statement must order by ordinal",
                row + 1, (long long)here, (long long)last, b->nwaiters);
            return false;
        }
        last = here;
    }
    return true;
}

void db_batch_rows_next(const struct db_batch *b, int item, struct rows *rows) {
    int end = PQntuples(b->result);
    rows->result = b->result;
    rows->first += rows->count;
    rows->count = 0;
    while (rows->first + rows->count < end && ordinal(b->result, rows->first + rows->count) == item + 1)
        rows->count++;
}
