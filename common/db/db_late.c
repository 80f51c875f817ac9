#include "priv/db_late.h"

#include "priv/db_input.h"

/* What it answers is nobody's any more. */
static bool has_answered(PGconn *pg) {
    for (PGresult *r; (r = db_input_next(pg)) != NULL;) {
        bool end = PQresultStatus(r) == PGRES_PIPELINE_SYNC;
        PQclear(r);
        if (end) return true;
    }
    return PQstatus(pg) == CONNECTION_BAD;
}

static void on_readable(h2o_socket_t *sock, const char *err) {
    (void)err;
    struct db_late *l = sock->data;
    if (!db_input(l->pg) || has_answered(l->pg)) db_late_drop(l);
}

void db_late_keep(struct db_late *l, PGconn *pg, h2o_socket_t *sock) {
    *l = (struct db_late){.pg = pg, .sock = sock};
    sock->data = l;
    h2o_socket_read_start(sock, on_readable);
}

void db_late_drop(struct db_late *l) {
    if (l->pg == NULL) return;
    h2o_socket_close(l->sock);
    PQfinish(l->pg);
    *l = (struct db_late){0};
}
