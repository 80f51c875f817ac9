/* grants: what the role that serves may do with the tables of the role that owns them. */
#pragma once

#ifndef PG_PRIV
#error "private to common/pg"
#endif

#include <libpq-fe.h>

#include "status.h"

/* Lets the role of serving_url read and write all tables of conn's schema, but for what migrate keeps there,
 * and nothing more: it makes, changes and drops nothing. Nothing is done when both are the same role. */
enum status grants_give(PGconn *conn, const char *serving_url, struct why *w);
