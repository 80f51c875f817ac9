/* functions: the second half of migrate: functions/NAME.sql into the database, those whose text changed. */
#pragma once

#ifndef PG_PRIV
#error "private to common/pg"
#endif

#include <libpq-fe.h>

#include "migrate.h"

/* The table that keeps what was applied, if it is not there. */
enum status functions_prepare(PGconn *conn, struct why *w);
/* All of them, or nothing. The caller holds the lock. */
enum status functions_apply(PGconn *conn, const struct migrate_set *const sets[], struct why *w);
