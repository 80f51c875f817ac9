/* db_late: a session that did not answer in time, kept until it does. On the connection's loop and thread.
 *
 * A commit that waits for a synchronous standby is ended by no timeout of Postgres, nor by the end of its
 * client. To close the connection would leave the session behind, and a new one each time would take up all
 * that the server has. To cancel the wait would show others what the standby may never get. So it waits. */
#pragma once

#ifndef DB_PRIV
#error "private to common/db"
#endif

#include <libpq-fe.h>
#include <stdbool.h>

#include "h2o_compat.h"

struct db_late {
    PGconn *pg;         /* NULL: none is kept */
    h2o_socket_t *sock; /* over a duplicate of its descriptor */
};

/* Takes pg (in pipeline mode, with one Sync on its way) and its socket. Both are closed when it was answered,
 * or its connection has ended. */
void db_late_keep(struct db_late *l, PGconn *pg, h2o_socket_t *sock);
void db_late_drop(struct db_late *l); /* also of none */
