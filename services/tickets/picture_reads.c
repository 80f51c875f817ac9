#include "picture_reads.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "pg.h"
#include "picture_metrics.h"
#include "queries.h"
#include "thread.h"

enum {
    WAITING_MOST = 512,           /* requests */
    HELD_MOST = 64 * 1024 * 1024, /* bytes of files, which clients are still taking or that were just read */
    FRESH_US = 1000 * 1000,       /* for so long a file is given to others, too */
};

struct picture_file {
    struct picture_key key;
    struct picture_file *next;
    struct picture_read *waiting;
    PGresult *result; /* NULL: not read yet */
    struct str bytes;
    int64_t read_us;
    int users; /* requests that have it */
};

struct picture_reads {
    char *database_url;
    int statement_timeout_ms;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    struct picture_file *files;
    size_t held; /* bytes of those that are read */
    int waiting;
    int users; /* the owner, and one for each request that has a file */
    bool stopping;

    /* the thread's alone */
    PGconn *conn;
    struct sql_params params;
    struct why said; /* the error of the database that was logged last */
};

/* --- files; the lock is held --- */

static struct picture_file **find(struct picture_reads *reads, const struct picture_key *key,
                                  int64_t now_us) {
    struct picture_file **at = &reads->files;
    for (; *at != NULL; at = &(*at)->next) {
        bool fresh = (*at)->result == NULL || now_us - (*at)->read_us < FRESH_US;
        if (fresh && memcmp(&(*at)->key, key, sizeof *key) == 0) break;
    }
    return at; /* where it is, or the end */
}

static void drop(struct picture_reads *reads, struct picture_file **at) {
    struct picture_file *file = *at;
    *at = file->next;
    reads->held -= file->bytes.n;
    PQclear(file->result);
    free(file);
}

/* Those that nobody has: the old ones, or all. */
static void drop_unused(struct picture_reads *reads, int64_t read_before_us) {
    for (struct picture_file **at = &reads->files; *at != NULL;)
        if ((*at)->result != NULL && (*at)->users == 0 && (*at)->read_us <= read_before_us)
            drop(reads, at);
        else
            at = &(*at)->next;
}

static void leave(struct picture_reads *reads) {
    bool last = --reads->users == 0;
    pthread_mutex_unlock(&reads->lock);
    if (!last) return;
    pthread_cond_destroy(&reads->work);
    pthread_mutex_destroy(&reads->lock);
    free(reads);
}

/* --- requests --- */

/* At the end of a request. */
static void give_back(void *arg) {
    struct picture_read *read = arg;
    struct picture_reads *reads = read->reads;
    pthread_mutex_lock(&reads->lock);
    read->from->users--;
    drop_unused(reads, reads->stopping ? INT64_MAX : clock_mono_us() - FRESH_US);
    leave(reads);
}

/* The lock is held. */
static void hand_out(struct picture_reads *reads, struct picture_file *file, struct picture_read *read) {
    read->st = ST_OK;
    read->file = file->bytes;
    read->from = file;
    file->users++;
    reads->users++;
}

static void go_on(struct picture_read *read) {
    if (read->from != NULL) req_at_end(read->rq, give_back, read);
    read->then(read->rq);
}

static void on_resumed(struct req *rq, void *read) {
    (void)rq;
    go_on(read);
}

/* The lock is held. */
static enum status wait_for(struct picture_reads *reads, struct picture_file **at,
                            struct picture_read *read) {
    if (reads->waiting == WAITING_MOST || reads->stopping) return ST_FULL;
    if (*at == NULL) {
        *at = mem_alloc(sizeof **at);
        (*at)->key = read->key;
        pthread_cond_signal(&reads->work);
    }
    req_hold(read->rq);
    read->next = (*at)->waiting;
    (*at)->waiting = read;
    reads->waiting++;
    return ST_OK;
}

enum status picture_reads_ask(struct picture_reads *reads, struct req *rq, struct picture_read *read,
                              req_handler *then) {
    read->rq = rq;
    read->then = then;
    read->reads = reads;
    pthread_mutex_lock(&reads->lock);
    struct picture_file **at = find(reads, &read->key, clock_mono_us());
    bool here = *at != NULL && (*at)->result != NULL;
    if (here) hand_out(reads, *at, read);
    enum status st = here ? ST_OK : wait_for(reads, at, read);
    pthread_mutex_unlock(&reads->lock);
    if (here) go_on(read);
    return st;
}

/* --- the thread --- */

static struct picture_file *unread(struct picture_reads *reads) {
    struct picture_file *file = reads->files;
    while (file != NULL && file->result != NULL)
        file = file->next;
    return file;
}

/* The next one to read; it stays in the list. *st is not ST_OK: it is not to be read. NULL: the end. Those
 * that are kept go when they are old. */
static struct picture_file *next_file(struct picture_reads *reads, enum status *st) {
    struct picture_file *file;
    pthread_mutex_lock(&reads->lock);
    while ((file = unread(reads)) == NULL && !reads->stopping) {
        thread_cond_wait(&reads->work, &reads->lock, clock_mono_us() + FRESH_US);
        drop_unused(reads, clock_mono_us() - FRESH_US);
    }
    if (reads->held > HELD_MOST) drop_unused(reads, INT64_MAX);
    if (reads->stopping)
        *st = ST_LOST;
    else if (reads->held > HELD_MOST)
        *st = ST_FULL;
    pthread_mutex_unlock(&reads->lock);
    return file;
}

static enum status run(struct picture_reads *reads, const struct picture_key *key, PGresult **result) {
    struct why w = {0};
    if (reads->conn != NULL && PQstatus(reads->conn) != CONNECTION_OK) {
        PQfinish(reads->conn);
        reads->conn = NULL;
    }
    if (reads->conn == NULL)
        reads->conn = pg_open_prepared(reads->database_url, "tickets-pictures", reads->statement_timeout_ms,
                                       tickets_background, &w);
    sql_params_reset(&reads->params);
    put_uuid(&reads->params, &key->show);
    put_text(&reads->params, (struct str){key->hash, sizeof key->hash});
    put_int(&reads->params, key->width);
    enum status st = reads->conn == NULL ? ST_LOST : pg_run(reads->conn, &reads->params, result, &w);
    if (st == ST_OK)
        reads->said = (struct why){0};
    else if (log_news(&reads->said, &w))
        log_warn("pictures", "%s: %s", reads->params.sql->name, w.text);
    return st;
}

static struct str bytes_of(const PGresult *result) {
    struct rows rows = {result, 0, PQntuples(result)};
    return rows.count == 0 || row_null(&rows, 0, 1) ? (struct str){0} : row_text(&rows, 0, 1);
}

/* Takes it out of the list unless it has bytes, and answers all who wait for it. */
static void finish(struct picture_reads *reads, struct picture_file *file, enum status st, PGresult *result) {
    pthread_mutex_lock(&reads->lock);
    struct picture_read *waiting = file->waiting, *next;
    file->waiting = NULL;
    file->read_us = clock_mono_us();
    file->result = result;
    if (st == ST_OK) file->bytes = bytes_of(result);
    reads->held += file->bytes.n;
    for (struct picture_read *read = waiting; read != NULL; read = read->next) {
        read->st = st;
        reads->waiting--;
        if (file->bytes.n > 0) hand_out(reads, file, read);
    }
    if (file->bytes.n == 0) {
        struct picture_file **at = &reads->files;
        while (*at != file)
            at = &(*at)->next;
        drop(reads, at);
    }
    pthread_mutex_unlock(&reads->lock);
    for (struct picture_read *read = waiting; read != NULL; read = next) {
        next = read->next;
        req_resume(read->rq, on_resumed, read);
    }
}

/* All who wait when the database is lost: each of them would wait for another attempt to connect. */
static void give_up_all(struct picture_reads *reads) {
    for (;;) {
        pthread_mutex_lock(&reads->lock);
        struct picture_file *file = unread(reads);
        pthread_mutex_unlock(&reads->lock);
        if (file == NULL) return;
        finish(reads, file, ST_LOST, NULL);
    }
}

static void *reads_main(void *arg) {
    struct picture_reads *reads = arg;
    enum status st = ST_OK;
    for (struct picture_file *file; (file = next_file(reads, &st)) != NULL; st = ST_OK) {
        PGresult *result = NULL;
        if (st == ST_OK) st = run(reads, &file->key, &result);
        if (st == ST_OK) metric_add(M_PICTURES_READ, 1);
        finish(reads, file, st, result);
        if (st == ST_LOST) give_up_all(reads);
    }
    PQfinish(reads->conn);
    return NULL;
}

struct picture_reads *picture_reads_start(const char *database_url, int statement_timeout_ms) {
    struct picture_reads *reads = mem_alloc(sizeof *reads);
    reads->database_url = mem_strdup(database_url);
    reads->statement_timeout_ms = statement_timeout_ms;
    reads->users = 1;
    sql_params_init(&reads->params, &sql_get_picture);
    pthread_mutex_init(&reads->lock, NULL);
    thread_cond_init(&reads->work);
    reads->thread = thread_start("picture-reads", reads_main, reads);
    return reads;
}

void picture_reads_free(struct picture_reads *reads) {
    pthread_mutex_lock(&reads->lock);
    reads->stopping = true;
    pthread_cond_signal(&reads->work);
    pthread_mutex_unlock(&reads->lock);
    pthread_join(reads->thread, NULL);
    sql_params_free(&reads->params);
    free(reads->database_url);
    pthread_mutex_lock(&reads->lock);
    drop_unused(reads, INT64_MAX);
    leave(reads);
}
