/* What the tests that need Postgres share: the cluster of tools/with-postgres, and a database of one's own in
 * it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pg.h"

static inline const char *test_cluster(void) {
    const char *url = getenv("ONSALE_TEST_DATABASE_URL");
    if (url == NULL) fail_msg("ONSALE_TEST_DATABASE_URL is not set: run under tools/with-postgres");
    return url;
}

static inline PGconn *test_connect(const char *url) {
    struct why w = {0};
    PGconn *conn = pg_open(url, "test", 0, &w);
    if (conn == NULL) fail_msg("%s", w.text);
    return conn;
}

static inline void test_exec(PGconn *conn, const char *text) {
    struct why w = {0};
    if (pg_exec(conn, &w, text) != ST_OK) fail_msg("%s: %s", text, w.text);
}

static inline long long test_count(PGconn *conn, const char *text) {
    PGresult *res = PQexec(conn, text);
    if (PQresultStatus(res) != PGRES_TUPLES_OK) fail_msg("%s: %s", text, PQerrorMessage(conn));
    long long n = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return n;
}

/* A fresh database, named after the process and tag; its URL goes into url. */
static inline void test_create_database(const char *tag, char *url, size_t size) {
    const char *cluster = test_cluster();
    const char *slash = strrchr(cluster, '/');
    char text[128];
    PGconn *conn = test_connect(cluster);
    snprintf(text, sizeof text, "drop database if exists test_%s_%d with (force)", tag, (int)getpid());
    test_exec(conn, text);
    snprintf(text, sizeof text, "create database test_%s_%d", tag, (int)getpid());
    test_exec(conn, text);
    PQfinish(conn);
    snprintf(url, size, "%.*s/test_%s_%d", (int)(slash - cluster), cluster, tag, (int)getpid());
}
