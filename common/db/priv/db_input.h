/* db_input: what has arrived on a connection's socket, into libpq. */
#pragma once

#ifndef DB_PRIV
#error "private to common/db"
#endif

#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <stdbool.h>

/* One TLS record can be larger than what PQconsumeInput takes at once, and the rest of it then makes no
 * socket readable. False: the connection is broken. */
static inline bool db_input(PGconn *conn) {
    SSL *tls = PQsslStruct(conn, "OpenSSL");
    do {
        if (PQconsumeInput(conn) == 0) return false;
    } while (tls != NULL && SSL_pending(tls) > 0);
    return true;
}

/* The next result that has come, or NULL: none yet, or the connection is broken (PQstatus tells). */
static inline PGresult *db_input_next(PGconn *conn) {
    /* libpq puts a NULL behind the results of each command; a second one in a row means that it expects no
     * more. */
    for (int nulls = 0; nulls < 2 && !PQisBusy(conn); nulls++) {
        PGresult *r = PQgetResult(conn);
        if (r != NULL) return r;
    }
    return NULL;
}
