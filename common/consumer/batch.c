#include "priv/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"
#include "queries.h"
#include "utf8.h"

struct batch_key {
    uint64_t hash;
    uint32_t round;
    int run;
};

/* With large records a batch is full before its number of records is: what one transaction carries stays
 * small. */
enum { MOST_BYTES = 4 << 20 };

static struct batch_statement *statement_of(struct batch *b, const struct sql *sql) {
    for (int i = 0; i < b->nstatements; i++)
        if (b->statements[i].sql == sql) return &b->statements[i];
    return NULL;
}

static void list_statements(struct batch *b) {
    int n = 0;
    while (b->reactions[n].topic != NULL)
        n++;
    b->statements = mem_alloc((size_t)(n + 1) * sizeof *b->statements);
    for (int i = 0; i < n; i++)
        if (statement_of(b, b->reactions[i].sql) == NULL)
            b->statements[b->nstatements++] = (struct batch_statement){.sql = b->reactions[i].sql};
}

void batch_init(struct batch *b, const struct reaction *reactions, int capacity) {
    assert(capacity > 0);
    *b = (struct batch){.reactions = reactions, .capacity = capacity, .round = 1, .slots = 4};
    while (b->slots < 2 * (uint32_t)capacity)
        b->slots *= 2;
    b->keys = mem_alloc(b->slots * sizeof *b->keys);
    b->timestamps_ms = mem_alloc((size_t)capacity * sizeof *b->timestamps_ms);
    sql_params_init(&b->dead_letters, &sql_dead_letters);
    list_statements(b);
}

void batch_free(struct batch *b) {
    for (int i = 0; i < b->nstatements; i++) {
        struct batch_statement *s = &b->statements[i];
        for (int run = 0; run < s->allocated; run++)
            sql_params_free(&s->runs[run]);
        free(s->runs);
    }
    free(b->statements);
    free(b->keys);
    free(b->timestamps_ms);
    sql_params_free(&b->dead_letters);
    *b = (struct batch){0};
}

static void forget_keys(struct batch *b) {
    if (++b->round != 0) return;
    memset(b->keys, 0, b->slots * sizeof *b->keys); /* the rounds began anew: nothing may look current */
    b->round = 1;
}

void batch_reset(struct batch *b) {
    for (int i = 0; i < b->nstatements; i++) {
        struct batch_statement *s = &b->statements[i];
        for (int run = 0; run < s->allocated && run < b->runs; run++)
            sql_params_reset(&s->runs[run]);
    }
    sql_params_reset(&b->dead_letters);
    forget_keys(b);
    b->runs = b->records = 0;
    b->bytes = 0;
}

bool batch_full(const struct batch *b, int records) {
    return b->records >= records || b->records >= b->capacity || b->bytes >= MOST_BYTES;
}

void batch_record(struct batch *b, int64_t timestamp_ms, size_t bytes) {
    assert(b->records < b->capacity);
    b->timestamps_ms[b->records++] = timestamp_ms;
    b->bytes += bytes;
}

/* Two keys that share a hash are taken for one: that costs a run, no more. FNV-1a's step, eight bytes at a
 * time. */
static uint64_t hash_of(struct str key) {
    uint64_t h = (0xcbf29ce484222325 ^ key.n) * 0x100000001b3;
    for (size_t at = 0; at < key.n; at += 8) {
        uint64_t word = 0;
        memcpy(&word, key.p + at, key.n - at < 8 ? key.n - at : 8);
        h = (h ^ word) * 0x100000001b3;
        h ^= h >> 32;
    }
    return h;
}

/* The run behind the last record of this key. */
static int run_for(struct batch *b, struct str key) {
    uint64_t hash = hash_of(key);
    uint32_t at = (uint32_t)hash & (b->slots - 1);
    struct batch_key *k = &b->keys[at];
    while (k->round == b->round && k->hash != hash) {
        at = (at + 1) & (b->slots - 1);
        k = &b->keys[at];
    }
    int run = k->round == b->round ? k->run + 1 : 0;
    *k = (struct batch_key){.hash = hash, .round = b->round, .run = run};
    if (run == b->runs) b->runs++;
    return run;
}

/* Where what may stand anywhere does. */
static int first_run(struct batch *b) {
    if (b->runs == 0) b->runs = 1;
    return 0;
}

static struct sql_params *columns_of(struct batch_statement *s, int run) {
    if (run >= s->allocated) {
        int more = s->allocated == 0 ? 4 : 2 * s->allocated;
        while (more <= run)
            more *= 2;
        s->runs = mem_grow(s->runs, (size_t)more * sizeof *s->runs);
        for (; s->allocated < more; s->allocated++)
            sql_params_init(&s->runs[s->allocated], s->sql);
    }
    return &s->runs[run];
}

void batch_effect(struct batch *b, const struct reaction *r, struct str key, const void *event,
                  struct str traceparent) {
    int run = r->sql->any_order ? first_run(b) : run_for(b, key);
    struct sql_params *c = columns_of(statement_of(b, r->sql), run);
    int before = c->items;
    r->bind(c, event, traceparent);
    assert(c->items == before + 1 && c->next == 0);
}

/* A reason may quote the record, so it may be anything; the column is text. */
static void put_reason(struct sql_params *c, const char *reason) {
    struct why clean;
    why(&clean, ST_INVALID, "%s", reason);
    if (!utf8_valid(str_of(clean.text)))
        for (char *p = clean.text; *p != '\0'; p++)
            if ((unsigned char)*p >= 0x80) *p = '?';
    put_text(c, str_of(clean.text));
}

static void put_bytes_or_null(struct sql_params *c, struct str v, bool null) {
    if (null)
        put_null(c);
    else
        put_bytes(c, v);
}

void batch_dead_letter(struct batch *b, const struct batch_dead_letter *letter, const char *reason) {
    struct sql_params *c = &b->dead_letters;
    put_text(c, str_of(letter->topic));
    put_int(c, letter->partition);
    put_int(c, letter->offset);
    put_bytes_or_null(c, letter->key, letter->null_key);
    put_bytes_or_null(c, letter->value, letter->null_value);
    put_reason(c, reason);
}

struct sql_params *batch_next(struct batch *b, int *run, int *statement) {
    for (; *run < b->runs; ++*run, *statement = 0) {
        while (*statement < b->nstatements) {
            struct batch_statement *s = &b->statements[(*statement)++];
            if (*run < s->allocated && s->runs[*run].items > 0) return &s->runs[*run];
        }
    }
    if (*run == b->runs && b->dead_letters.items > 0) {
        ++*run;
        return &b->dead_letters;
    }
    return NULL;
}
