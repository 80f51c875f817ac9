#include "dead_letters.h"

#include <stdlib.h>

#include "clock.h"
#include "priv/commit.h"
#include "priv/sources.h"
#include "queries.h"

/* One of them, as sql/list_dead_letters.sql has it. */
struct letter {
    struct str topic, key, value;
    int32_t partition;
    int64_t offset, at_us;
    bool null_value;
    struct str reason;
};

static struct letter letter_of(const struct rows *rows, int row) {
    struct letter l = {
        .topic = row_text(rows, row, 1),
        .partition = (int32_t)row_int(rows, row, 2),
        .offset = row_int(rows, row, 3),
        .null_value = row_null(rows, row, 5),
        .reason = row_text(rows, row, 6),
        .at_us = row_int(rows, row, 7),
    };
    if (!row_null(rows, row, 4)) l.key = row_text(rows, row, 4);
    if (!l.null_value) l.value = row_text(rows, row, 5);
    return l;
}

static void put_place(struct sql_params *item, const struct letter *l) {
    put_text(item, l->topic);
    put_int(item, l->partition);
    put_int(item, l->offset);
}

/* --- all of them, in order --- */

typedef enum status take_letter(void *arg, const struct letter *l, struct why *w);

/* Some of those behind a place, which is moved on; it points into *rows, the caller's to clear. */
static enum status read_some(PGconn *conn, struct sql_params *after, PGresult **rows, struct why *w) {
    enum status st = pg_run(conn, after, rows, w);
    sql_params_reset(after);
    if (st != ST_OK || PQntuples(*rows) == 0) return st;
    struct rows all = {*rows, 0, PQntuples(*rows)};
    struct letter last = letter_of(&all, all.count - 1);
    put_place(after, &last);
    return ST_OK;
}

static enum status each_letter(PGconn *conn, take_letter *take, void *arg, struct why *w) {
    struct sql_params after;
    sql_params_init(&after, &sql_list_dead_letters);
    put_place(&after, &(struct letter){.partition = -1});
    enum status st = ST_OK;
    for (bool more = true; st == ST_OK && more;) {
        PGresult *res = NULL;
        st = read_some(conn, &after, &res, w);
        struct rows rows = {res, 0, PQntuples(res)};
        for (int i = 0; st == ST_OK && i < rows.count; i++) {
            struct letter l = letter_of(&rows, i);
            st = take(arg, &l, w);
        }
        more = rows.count > 0;
        PQclear(res);
    }
    sql_params_free(&after);
    return st;
}

static PGconn *open_reader(const struct consumer_options *options, struct why *w) {
    static const struct sql *const statements[] = {&sql_list_dead_letters, NULL};
    return pg_open_prepared(options->database_url, "dead-letters", COMMIT_STATEMENT_MS, statements, w);
}

/* --- showing --- */

/* Keys are ids, but anybody may have written them. */
static void write_text(FILE *out, struct str text) {
    for (size_t i = 0; i < text.n; i++)
        putc((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? '?' : text.p[i], out);
}

static void write_place(FILE *out, const struct letter *l) {
    fprintf(out, "%.*s/%d@%lld", (int)l->topic.n, l->topic.p, l->partition, (long long)l->offset);
}

static enum status show(void *out, const struct letter *l, struct why *w) {
    (void)w;
    char at[CLOCK_TEXT];
    clock_format(l->at_us, at);
    write_place(out, l);
    fprintf(out, "  %.*s  ", CLOCK_TEXT, at);
    write_text(out, l->key);
    fputs("  ", out);
    write_text(out, l->reason);
    putc('\n', out);
    return ST_OK;
}

enum status dead_letters_list(const struct consumer_options *options, FILE *out, struct why *w) {
    PGconn *conn = open_reader(options, w);
    if (conn == NULL) return ST_LOST;
    enum status st = each_letter(conn, show, out, w);
    PQfinish(conn);
    return st;
}

/* --- applying --- */

struct work {
    FILE *out;
    PGconn *conn;
    struct batch batch;
    struct sources sources;
    struct sql_params done;
    int applied, left;
};

static struct source *source_of(struct work *work, struct str topic) {
    for (int i = 0; work->sources.names[i] != NULL; i++)
        if (str_eq(topic, str_of(work->sources.names[i]))) return &work->sources.all[i];
    return NULL;
}

static void leave(struct work *work, const struct letter *l, const char *reason) {
    write_place(work->out, l);
    fputs(" stays: ", work->out);
    write_text(work->out, str_of(reason));
    putc('\n', work->out);
    work->left++;
}

/* Removes it and carries out the reaction, if there is one. ST_FENCED: another process did. */
static enum status carry_out(struct work *work, const struct letter *l, const struct source *source,
                             struct why *w) {
    batch_reset(&work->batch);
    sql_params_reset(&work->done);
    put_place(&work->done, l);
    const struct reaction *r = sources_reaction(&work->sources, source);
    if (r != NULL) batch_effect(&work->batch, r, l->key, source->event, (struct str){0});
    return commit_batch_tried(work->conn, &work->done, &work->batch, w);
}

/* The registry and the database have to answer; all other trouble leaves a record where it is. */
static enum status apply(void *arg, const struct letter *l, struct why *w) {
    struct work *work = arg;
    struct source *source = source_of(work, l->topic);
    struct why reason = {.text = "nothing reacts to this topic any more"};
    enum status st = ST_INVALID;
    if (source != NULL)
        st = wire_decode(source->decoder, (const uint8_t *)(l->null_value ? NULL : l->value.p), l->value.n,
                         source->event, &reason);
    if (st == ST_OK) st = carry_out(work, l, source, &reason);
    if (st == ST_LOST || st == ST_FAILED) return why(w, st, "%s", reason.text);
    if (st == ST_FENCED) return ST_OK;
    if (st != ST_OK) {
        leave(work, l, reason.text);
        return ST_OK;
    }
    write_place(work->out, l);
    fputs(" applied\n", work->out);
    work->applied++;
    return ST_OK;
}

static enum status apply_all(const struct consumer_options *options, PGconn *reader, struct work *work,
                             struct why *w) {
    work->conn = commit_open(options->database_url, options->service, &work->batch, w);
    if (work->conn == NULL) return ST_LOST;
    enum status st = each_letter(reader, apply, work, w);
    fprintf(work->out, "%d applied, %d left\n", work->applied, work->left);
    return st;
}

enum status dead_letters_apply(const struct consumer_options *options, FILE *out, int *left, struct why *w) {
    PGconn *reader = open_reader(options, w);
    if (reader == NULL) return ST_LOST;
    struct registry *registry = registry_new(options->registry_url);
    struct work work = {.out = out};
    batch_init(&work.batch, options->reactions, 1);
    sources_init(&work.sources, options->reactions, registry, 0);
    sql_params_init(&work.done, &sql_dead_letter_done);
    enum status st = apply_all(options, reader, &work, w);
    *left = work.left;
    sql_params_free(&work.done);
    sources_free(&work.sources);
    batch_free(&work.batch);
    registry_free(registry);
    PQfinish(work.conn);
    PQfinish(reader);
    return st;
}
