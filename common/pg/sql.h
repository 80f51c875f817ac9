/* sql: a statement, embedded by the build from sql/NAME.sql, its parameters and its rows.
 *
 * Every statement is a set statement. Its parameters are parallel arrays, written `$1::uuid[]`, `$2::text[]`
 * ... (the generator reads the types there), one element an item; it answers rows whose first column is
 * `ordinal`, the item's place in the arrays counted from 1, in ascending order of it. An item may get no row,
 * one, or several. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"
#include "str.h"
#include "uuid.h"

enum { SQL_MAX_PARAMS = 32 };

struct sql {
    const char *name; /* SERVICE_FILE; also the name it is prepared under */
    const char *text;
    int nparams;
    bool writes;           /* changes rows: goes over the write connection */
    const uint32_t *types; /* element type OID of each parameter */
    bool any_order;        /* takes several events of a key at once, and comes to the same in any order */
    int gather_ms;         /* how long its first item waits for others; 0: not at all */
};

/* --- in: parallel arrays, grown straight in Postgres's binary array format ---
 * An item is added by one put_ call a parameter, in the statement's order; put_ calls check the declared
 * type. Owned by whoever embeds it; reused from batch to batch. */
struct sql_params {
    const struct sql *sql;
    int items; /* complete items */
    int next;  /* the parameter the next put_ fills; 0 between items */
    struct buf arrays[SQL_MAX_PARAMS];
};

void sql_params_init(struct sql_params *c, const struct sql *sql);
void sql_params_reset(struct sql_params *c); /* empties, keeps the memory */
void sql_params_free(struct sql_params *c);
/* Appends items [first, first+count) of src to dst (same statement). */
void sql_params_copy(struct sql_params *dst, const struct sql_params *src, int first, int count);
/* Fills what PQsendQueryPrepared takes; pointers are into c, valid until the next put_. */
void sql_params_values(struct sql_params *c, const char *values[], int lengths[], int formats[]);

void put_null(struct sql_params *c);
void put_text(struct sql_params *c, struct str v);         /* text */
void put_uuid(struct sql_params *c, const struct uuid *v); /* uuid */
void put_int(struct sql_params *c, int64_t v);             /* int2, int4, int8: by the declared type */
void put_bool(struct sql_params *c, bool v);
void put_time(struct sql_params *c, int64_t unix_us); /* timestamptz */
void put_bytes(struct sql_params *c, struct str v);   /* bytea */

/* Empty is null. */
static inline void put_optional_text(struct sql_params *c, struct str v) {
    if (v.n == 0)
        put_null(c);
    else
        put_text(c, v);
}

static inline void put_optional_uuid(struct sql_params *c, bool given, const struct uuid *v) {
    if (given)
        put_uuid(c, v);
    else
        put_null(c);
}

/* --- out: the rows of one item; valid during the callback that gets them --- */
struct rows {
    const PGresult *result; /* binary format */
    int first, count;
};

bool row_null(const struct rows *r, int row, int column);
struct str row_text(const struct rows *r, int row, int column);
struct uuid row_uuid(const struct rows *r, int row, int column);
int64_t row_int(const struct rows *r, int row, int column); /* int2, int4, int8 */
bool row_bool(const struct rows *r, int row, int column);
int64_t row_time(const struct rows *r, int row, int column); /* unix microseconds */
