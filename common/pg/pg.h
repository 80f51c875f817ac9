/* pg: blocking Postgres connections, for the threads that own one: consumer, publisher, migrations, tests.
 * (HTTP threads never block; theirs is db.h.) */
#pragma once

#include "sql.h"

/* Opens url with keepalives, application_name "onsale-NAME", and the given statement timeout (0: none). NULL:
 * why says it, without the password. */
PGconn *pg_open(const char *url, const char *name, int statement_timeout_ms, struct why *w);
/* Whether url can be parsed. The reason does not quote it: it may contain the password. */
bool pg_url_valid(const char *url, struct why *w);
/* As pg_open, for a thread that runs these set statements (ends with NULL). They are prepared; the session
 * plans as PG_PLANNING says. */
PGconn *pg_open_prepared(const char *url, const char *name, int statement_timeout_ms,
                         const struct sql *const statements[], struct why *w);
/* Runs params' statement, which was prepared, and waits for its rows (binary): *res is the caller's to clear;
 * NULL unless ST_OK. */
enum status pg_run(PGconn *conn, struct sql_params *params, PGresult **res, struct why *w);
enum status pg_prepare(PGconn *conn, const struct sql *sql, struct why *w);
/* Runs text (simple protocol, may be several statements), dropping its rows. */
enum status pg_exec(PGconn *conn, struct why *w, const char *text);
/* Turns the error of a result or of the connection into a status: ST_LOST, ST_TIMEOUT, ST_AGAIN
 * (serialization, deadlock), ST_FENCED (SQLSTATE ON001, raised by advance_offsets), ST_INVALID (the data's
 * fault: classes 22, 23 and their like), ST_FAILED. */
enum status pg_status(PGconn *conn, const PGresult *res, struct why *w);

/* How a session that prepares set statements plans them, to be selected once. Generic plans: a statement's
 * arrays are joined by index whatever their length, so that planning again for each batch costs more than it
 * finds out (measured for a select by id: batches of 1 take 3 times as long, of 16 half as long again, of 64
 * the same). No sequential scans, and looking up by key as cheap as it is in memory: the plan is made for a
 * table that is small or empty, where reading all of it costs least, and is kept when the table has grown a
 * thousandfold. JIT is off as a compilation takes longer than any statement of ours, and a wrong estimate is
 * enough to start one. */
#define PG_PLANNING                                                                                          \
    "set_config('jit', 'off', false), set_config('plan_cache_mode', 'force_generic_plan', false),"           \
    " set_config('enable_seqscan', 'off', false), set_config('random_page_cost', '0.1', false)"
