/* The frames and messages of the replication stream: each kind as Postgres 15 sends it, cut at every byte,
 * and garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pgoutput.h"

/* Bytes as a stream of Postgres's has them: big-endian numbers, texts that end in zero. */
struct bytes {
    uint8_t data[4096];
    size_t n;
};

static void put(struct bytes *b, uint64_t v, int width) {
    for (int i = width - 1; i >= 0; i--)
        b->data[b->n++] = (uint8_t)(v >> (8 * i));
}

static void put_text(struct bytes *b, const char *text) {
    memcpy(b->data + b->n, text, strlen(text) + 1);
    b->n += strlen(text) + 1;
}

static void put_value(struct bytes *b, char kind, const char *value) {
    put(b, (uint8_t)kind, 1);
    if (kind == 'n') return;
    put(b, strlen(value), 4);
    memcpy(b->data + b->n, value, strlen(value));
    b->n += strlen(value);
}

static const uint64_t LSN = 0x12345678abcdef00, LATER = 0x12345678abcdef40;
/* 2026-11-21T03:04:05.678901Z, from 2000 and from 1970. */
static const int64_t AT_POSTGRES = 848545445678901, AT_UNIX = 1795230245678901;

static struct bytes begin_message(void) {
    struct bytes b = {0};
    put(&b, 'B', 1);
    put(&b, LSN, 8);
    put(&b, (uint64_t)AT_POSTGRES, 8);
    put(&b, 731, 4);
    return b;
}

static struct bytes commit_message(void) {
    struct bytes b = {0};
    put(&b, 'C', 1);
    put(&b, 0, 1);
    put(&b, LSN, 8);
    put(&b, LATER, 8);
    put(&b, (uint64_t)AT_POSTGRES, 8);
    return b;
}

static struct bytes relation_message(int columns) {
    struct bytes b = {0};
    put(&b, 'R', 1);
    put(&b, 16390, 4);
    put_text(&b, "public");
    put_text(&b, "ticket_events");
    put(&b, 'd', 1);
    put(&b, (uint64_t)columns, 2);
    for (int i = 0; i < columns; i++) {
        put(&b, i == 0, 1);
        put_text(&b, i == 0 ? "seq" : "title");
        put(&b, i == 0 ? 20 : 25, 4);
        put(&b, (uint32_t)-1, 4);
    }
    return b;
}

static struct bytes insert_message(void) {
    struct bytes b = {0};
    put(&b, 'I', 1);
    put(&b, 16390, 4);
    put(&b, 'N', 1);
    put(&b, 4, 2);
    put_value(&b, 'b', "12345678");
    put_value(&b, 'n', NULL);
    put_value(&b, 't', "text");
    put_value(&b, 'b', "");
    return b;
}

static struct bytes keepalive_frame(bool reply) {
    struct bytes b = {0};
    put(&b, 'k', 1);
    put(&b, LSN, 8);
    put(&b, (uint64_t)AT_POSTGRES, 8);
    put(&b, reply, 1);
    return b;
}

/* Reads from memory of exactly the size, so that the sanitizer sees each byte too many. */
static enum status read_exactly(const struct bytes *b, size_t n, struct pgoutput_message *m) {
    uint8_t *copy = malloc(n + (n == 0));
    memcpy(copy, b->data, n);
    struct why w = {0};
    enum status st = pgoutput_read(copy, n, m, &w);
    if (st != ST_OK) assert_true(st == ST_INVALID && w.text[0] != 0);
    free(copy);
    return st;
}

static void every_cut_is_refused(const struct bytes *b) {
    static struct pgoutput_message m;
    for (size_t n = 0; n < b->n; n++)
        assert_int_equal(read_exactly(b, n, &m), ST_INVALID);
    struct bytes longer = *b;
    put(&longer, 0, 1);
    assert_int_equal(read_exactly(&longer, longer.n, &m), ST_INVALID);
}

static struct pgoutput_message read_message(const struct bytes *b) {
    struct pgoutput_message m;
    struct why w = {0};
    if (pgoutput_read(b->data, b->n, &m, &w) != ST_OK) fail_msg("%s", w.text);
    every_cut_is_refused(b);
    return m;
}

static void transactions_begin_and_commit(void **state) {
    (void)state;
    struct bytes b = begin_message();
    struct pgoutput_message m = read_message(&b);
    assert_int_equal(m.kind, PGOUTPUT_BEGIN);
    assert_int_equal(m.lsn, LSN);
    assert_int_equal(m.committed_us, AT_UNIX);
    b = commit_message();
    m = read_message(&b);
    assert_int_equal(m.kind, PGOUTPUT_COMMIT);
    assert_int_equal(m.lsn, LATER);
}

static void a_relation_names_its_columns(void **state) {
    (void)state;
    struct bytes b = relation_message(2);
    struct pgoutput_message m = read_message(&b);
    assert_int_equal(m.kind, PGOUTPUT_RELATION);
    assert_int_equal(m.relation, 16390);
    assert_string_equal(m.schema, "public");
    assert_string_equal(m.name, "ticket_events");
    assert_int_equal(m.ncolumns, 2);
    assert_string_equal(m.columns[0].name, "seq");
    assert_int_equal(m.columns[0].type, 20);
    assert_string_equal(m.columns[1].name, "title");
    assert_int_equal(m.columns[1].type, 25);
}

static void an_insert_has_values(void **state) {
    (void)state;
    struct bytes b = insert_message();
    struct pgoutput_message m = read_message(&b);
    assert_int_equal(m.kind, PGOUTPUT_INSERT);
    assert_int_equal(m.relation, 16390);
    assert_int_equal(m.ncolumns, 4);
    assert_int_equal(m.values[0].n, 8);
    assert_memory_equal(m.values[0].bytes, "12345678", 8);
    assert_false(m.values[0].text);
    assert_int_equal(m.values[1].n, -1);
    assert_int_equal(m.values[2].n, 4);
    assert_true(m.values[2].text);
    assert_int_equal(m.values[3].n, 0);
}

static void other_kinds_are_passed_over(void **state) {
    (void)state;
    for (const char *kind = "YOTMUD"; *kind != 0; kind++) {
        struct bytes b = {.data = {(uint8_t)*kind, 1, 2, 3}, .n = 4};
        struct pgoutput_message m;
        assert_int_equal(read_exactly(&b, b.n, &m), ST_OK);
        assert_int_equal(m.kind, PGOUTPUT_OTHER);
    }
}

static void nonsense_is_refused(void **state) {
    (void)state;
    static struct pgoutput_message m;
    struct bytes b = {.data = "S", .n = 1}; /* the streaming of open transactions was not asked for */
    assert_int_equal(read_exactly(&b, b.n, &m), ST_INVALID);
    b = relation_message(PGOUTPUT_MAX_COLUMNS);
    assert_int_equal(read_exactly(&b, b.n, &m), ST_OK);
    b = relation_message(PGOUTPUT_MAX_COLUMNS + 1);
    assert_int_equal(read_exactly(&b, b.n, &m), ST_INVALID);
    b = insert_message();
    b.data[5] = 'K'; /* an old row */
    assert_int_equal(read_exactly(&b, b.n, &m), ST_INVALID);
    b = insert_message();
    b.data[8] = 'u'; /* a value left out because it did not change */
    assert_int_equal(read_exactly(&b, b.n, &m), ST_INVALID);
    b = insert_message();
    b.data[9] = 0xff; /* a length beyond int32 */
    assert_int_equal(read_exactly(&b, b.n, &m), ST_INVALID);
}

static void garbage_is_survived(void **state) {
    (void)state;
    static struct pgoutput_message m;
    struct bytes b;
    srandom(1);
    for (int i = 0; i < 200000; i++) {
        b = i % 3 == 0 ? relation_message(2) : i % 3 == 1 ? insert_message() : begin_message();
        for (int k = 0; k < 3; k++)
            b.data[1 + (size_t)random() % (b.n - 1)] = (uint8_t)random();
        read_exactly(&b, 1 + (size_t)random() % b.n, &m);
    }
}

static void frames(void **state) {
    (void)state;
    struct pgoutput_frame f;
    struct why w = {0};
    struct bytes b = keepalive_frame(true);
    assert_int_equal(pgoutput_frame(b.data, b.n, &f, &w), ST_OK);
    assert_int_equal(f.kind, FRAME_KEEPALIVE);
    assert_int_equal(f.wal_end, LSN);
    assert_true(f.reply_now);
    b = keepalive_frame(false);
    assert_int_equal(pgoutput_frame(b.data, b.n, &f, &w), ST_OK);
    assert_false(f.reply_now);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(pgoutput_frame(b.data, n, &f, &w), ST_INVALID);

    struct bytes data = {0};
    put(&data, 'w', 1);
    put(&data, LSN, 8);
    put(&data, LSN, 8);
    put(&data, 0, 8);
    for (size_t n = 0; n < data.n; n++)
        assert_int_equal(pgoutput_frame(data.data, n, &f, &w), ST_INVALID);
    put_text(&data, "message");
    assert_int_equal(pgoutput_frame(data.data, data.n, &f, &w), ST_OK);
    assert_int_equal(f.kind, FRAME_DATA);
    assert_int_equal(f.n, 8);
    assert_string_equal((const char *)f.message, "message");
    data.data[0] = 'x';
    assert_int_equal(pgoutput_frame(data.data, data.n, &f, &w), ST_INVALID);
}

static void times(void **state) {
    (void)state;
    assert_int_equal(pgoutput_unix_us(0), 946684800000000);
    assert_int_equal(pgoutput_postgres_us(AT_UNIX), AT_POSTGRES);
    assert_int_equal(pgoutput_unix_us(INT64_MAX), INT64_MAX); /* infinity */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transactions_begin_and_commit),
        cmocka_unit_test(a_relation_names_its_columns),
        cmocka_unit_test(an_insert_has_values),
        cmocka_unit_test(other_kinds_are_passed_over),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(garbage_is_survived),
        cmocka_unit_test(frames),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
