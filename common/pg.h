/* pg: blocking Postgres connections, for the threads that own one: consumer, publisher, migrations, tests.
 * (HTTP threads never block; theirs is db.h.) */
#pragma once

#include "sql.h"

/* Opens url with keepalives, application_name "onsale-NAME", and the given statement timeout (0: none). NULL: why says it,
 * without the password. */
PGconn *pg_open(const char *url, const char *name, int statement_timeout_ms, struct why *w);
/* Whether url can be parsed; why says no more than that, as what cannot be parsed may hold the password. */
bool pg_url_valid(const char *url, struct why *w);
enum status pg_prepare(PGconn *conn, const struct sql *sql, struct why *w);
/* Runs text (simple protocol, may be several statements), dropping its rows. */
enum status pg_exec(PGconn *conn, struct why *w, const char *text);
/* Turns the error of a result or of the connection into a status: ST_LOST, ST_TIMEOUT, ST_AGAIN (serialization, deadlock),
 * ST_FENCED (SQLSTATE ON001, raised by advance_offsets), ST_INVALID (the data's fault: classes 22, 23 and their like), ST_FAILED. */
enum status pg_status(PGconn *conn, const PGresult *res, struct why *w);
