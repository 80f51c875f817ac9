/* db_batch: items of one statement that travel together, with those who wait for their answers.
 *
 * A batch belongs to its statement, which keeps a few spare ones so that adding an item allocates nothing. It
 * is in exactly one place: in a list, on its way to the server, or spare. Not thread-safe. */
#pragma once

#ifndef DB_PRIV
#error "private to common/db"
#endif

#include "db.h"

struct db_waiter {
    db_done *done;
    void *ctx;
};

struct db_batch {
    struct db_batch *next;
    struct db_statement *statement;
    struct sql_params params;
    struct db_waiter *waiters; /* of the items; room for batch_items */
    int nwaiters;
    int tries;         /* times it was sent */
    int64_t opened_us; /* monotonic */
    int64_t sent_us;
    PGresult *result; /* the error, or else the rows */
    enum status answer;
};

struct db_batch_list {
    struct db_batch *first, *last; /* last: only while there is a first */
};

struct db_statement {
    const struct sql *sql;
    int batch_items;       /* most items of a batch */
    struct db_batch *open; /* the one that takes items; or NULL */
    struct db_batch *spare;
    int nspare;
};

void db_batch_append(struct db_batch_list *list, struct db_batch *b);
void db_batch_prepend(struct db_batch_list *list, struct db_batch *b);
struct db_batch *db_batch_take(struct db_batch_list *list); /* the first, or NULL */
/* The first that is not gathering (any more), or NULL: then *at_us is when one will be, INT64_MAX: there is
 * none. */
struct db_batch *db_batch_take_due(struct db_batch_list *list, int64_t now_us, int64_t *at_us);

/* The statement's new open batch, in no list. */
struct db_batch *db_batch_open(struct db_statement *s);
/* A batch of items [first, first+count) of b, in no list. */
struct db_batch *db_batch_part(const struct db_batch *b, int first, int count);
void db_batch_release(struct db_batch *b); /* to its statement's spare ones */
void db_batch_free_spare(struct db_statement *s);
/* Whether the rows keep to the contract: an `ordinal` first, ascending, within 1..items. */
bool db_batch_rows_valid(const struct db_batch *b, struct why *w);
/* The rows of item i, given those of the item before it ({0} rows before the first). */
void db_batch_rows_next(const struct db_batch *b, int item, struct rows *rows);
