/* Cutting a batch into runs, against a model: random records, and what must hold of any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>
#include <stdio.h>

#include "priv/batch.h"

/* An effect carries which record it is of. Two of the reactions share a statement. */
struct event {
    int64_t number;
};

static void bind(struct sql_params *item, const void *event, struct str traceparent) {
    put_int(item, ((const struct event *)event)->number);
    put_optional_text(item, traceparent);
}

static const uint32_t TYPES[] = {20, 25};
static const struct sql STATEMENTS[] = {
    {.name = "first", .text = "", .nparams = 2, .types = TYPES},
    {.name = "second", .text = "", .nparams = 2, .types = TYPES},
    {.name = "third", .text = "", .nparams = 2, .types = TYPES},
    {.name = "fourth", .text = "", .nparams = 2, .types = TYPES, .any_order = true},
};
static const struct topic TOPIC = {.name = "things"};
static const struct reaction REACTIONS[] = {
    {&TOPIC, 0, &STATEMENTS[0], bind}, {&TOPIC, 1, &STATEMENTS[1], bind}, {&TOPIC, 2, &STATEMENTS[0], bind},
    {&TOPIC, 3, &STATEMENTS[2], bind}, {&TOPIC, 4, &STATEMENTS[3], bind}, {0},
};

enum { MOST = 300 };

struct record {
    int key, reaction;
};

static uint32_t seed = 1;

static int any(int below) {
    seed = seed * 1664525 + 1013904223;
    return (int)((seed >> 8) % (uint32_t)below);
}

static void add(struct batch *b, const struct record *records, int number) {
    char key[40];
    int n = snprintf(key, sizeof key, "%036d", records[number].key);
    const struct event event = {number};
    batch_record(b, number, 100);
    batch_effect(b, &REACTIONS[records[number].reaction], (struct str){key, (size_t)n}, &event,
                 (struct str){0});
}

/* The numbers in the first array of a statement. */
static int64_t number_at(const struct sql_params *c, int item) {
    int64_t v;
    memcpy(&v, c->arrays[0].data + 20 + item * 12 + 4, sizeof v);
    return (int64_t)be64toh((uint64_t)v);
}

struct outcome {
    int place[MOST]; /* the statement sent, counted, that carries the record; -1: none */
    int sent, runs;
};

static void walk(struct batch *b, const struct record *records, struct outcome *o) {
    struct sql_params *c;
    *o = (struct outcome){.runs = b->runs};
    for (int i = 0; i < MOST; i++)
        o->place[i] = -1;
    for (int run = 0, statement = 0; (c = batch_next(b, &run, &statement)) != NULL; o->sent++) {
        assert_true(c->items > 0 && c->next == 0);
        int64_t before = -1;
        for (int i = 0; i < c->items; i++) {
            int64_t number = number_at(c, i);
            assert_true(number > before); /* each at most once, as they came */
            assert_int_equal(o->place[number], -1);
            assert_ptr_equal(REACTIONS[records[number].reaction].sql, c->sql);
            o->place[number] = o->sent;
            before = number;
        }
    }
}

static int busiest(const struct record *records, int n) {
    int most = 0;
    for (int i = 0; i < n; i++) {
        int times = 0;
        for (int j = 0; j < n; j++)
            times += records[i].key == records[j].key;
        if (times > most) most = times;
    }
    return most;
}

static void check(const struct record *records, int n, const struct outcome *o) {
    for (int i = 0; i < n; i++) {
        assert_true(o->place[i] >= 0);
        for (int j = 0; j < i; j++)
            if (records[i].key == records[j].key) assert_true(o->place[j] < o->place[i]);
    }
    assert_int_equal(o->runs, busiest(records, n));
}

/* Whatever the records: each is sent once, by its statement; one key's in their order and never in one
 * statement; and in no more runs than the busiest key needs. The batch is used again and again. */
static void any_records(void **state) {
    (void)state;
    struct batch b;
    batch_init(&b, REACTIONS, MOST);
    assert_int_equal(b.nstatements, 4);
    for (int round = 0; round < 300; round++) {
        struct record records[MOST];
        struct outcome o;
        int n = any(MOST + 1), keys = 1 + any(any(3) == 0 ? 5 : 500);
        batch_reset(&b);
        for (int i = 0; i < n; i++) {
            records[i] = (struct record){any(keys), any(4)};
            add(&b, records, i);
        }
        assert_int_equal(b.records, n);
        walk(&b, records, &o);
        check(records, n, &o);
    }
    batch_free(&b);
}

static void different_keys_go_together(void **state) {
    (void)state;
    struct batch b;
    struct outcome o;
    struct record records[MOST];
    batch_init(&b, REACTIONS, MOST);
    for (int i = 0; i < MOST; i++) {
        records[i] = (struct record){i, 0};
        add(&b, records, i);
    }
    walk(&b, records, &o);
    assert_int_equal(o.sent, 1);
    batch_free(&b);
}

/* Those that may stand in any order do not cut the batch, whatever stands between them. */
static void any_order_goes_together(void **state) {
    (void)state;
    struct batch b;
    struct outcome o;
    struct record records[MOST];
    batch_init(&b, REACTIONS, MOST);
    for (int i = 0; i < MOST; i++) {
        records[i] = (struct record){1, i % 100 == 0 ? 0 : 4};
        add(&b, records, i);
    }
    walk(&b, records, &o);
    assert_int_equal(o.runs, 3); /* of the others */
    assert_int_equal(o.sent, 4);
    batch_free(&b);
}

/* Records without a key may be about anything, so they keep their order. */
static void no_key_is_a_key(void **state) {
    (void)state;
    struct batch b;
    const struct event event = {0};
    batch_init(&b, REACTIONS, MOST);
    for (int i = 0; i < 3; i++)
        batch_effect(&b, &REACTIONS[0], (struct str){0}, &event, (struct str){0});
    assert_int_equal(b.runs, 3);
    batch_free(&b);
}

/* Keys that differ anywhere are different. */
static void similar_keys(void **state) {
    (void)state;
    struct batch b;
    const struct event event = {0};
    batch_init(&b, REACTIONS, MOST);
    static const char *const keys[] = {"",
                                       "a",
                                       "b",
                                       "aa",
                                       "abcdefgh",
                                       "abcdefgi",
                                       "bbcdefgh",
                                       "abcdefgha",
                                       "abcdefghb",
                                       "abcdefghabcdefgh",
                                       "abcdefghabcdefgi",
                                       "bbcdefghabcdefgh"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        batch_effect(&b, &REACTIONS[0], str_of(keys[i]), &event, (struct str){0});
    batch_effect(&b, &REACTIONS[0], (struct str){"a\0", 2}, &event, (struct str){0});
    assert_int_equal(b.runs, 1);
    batch_free(&b);
}

static void full_by_records_or_bytes(void **state) {
    (void)state;
    struct batch b;
    batch_init(&b, REACTIONS, 10);
    for (int i = 0; i < 10; i++) {
        assert_false(batch_full(&b, 100));
        batch_record(&b, 0, 10);
    }
    assert_true(batch_full(&b, 100));
    batch_reset(&b);
    batch_record(&b, 0, 10);
    assert_true(batch_full(&b, 1));
    assert_false(batch_full(&b, 2));
    batch_record(&b, 0, 100 << 20);
    assert_true(batch_full(&b, 10));
    batch_free(&b);
}

/* Dead letters are sent last, alone too, with a reason that is text whatever it quotes. */
static void dead_letters(void **state) {
    (void)state;
    struct batch b;
    batch_init(&b, REACTIONS, 10);
    const struct batch_dead_letter letter = {
        .topic = "things", .offset = 7, .null_key = true, .value = STR("x")};
    batch_dead_letter(&b, &letter, "bad byte \xff");
    int run = 0, statement = 0;
    struct sql_params *c = batch_next(&b, &run, &statement);
    assert_ptr_equal(c, &b.dead_letters);
    assert_null(batch_next(&b, &run, &statement));
    assert_non_null(memmem(c->arrays[5].data, c->arrays[5].len, "bad byte ?", 10));

    const struct event event = {0};
    batch_effect(&b, &REACTIONS[3], STR("k"), &event, (struct str){0});
    run = statement = 0;
    assert_string_equal(batch_next(&b, &run, &statement)->sql->name, "third");
    assert_ptr_equal(batch_next(&b, &run, &statement), &b.dead_letters);
    assert_null(batch_next(&b, &run, &statement));
    batch_reset(&b);
    run = statement = 0;
    assert_null(batch_next(&b, &run, &statement));
    batch_free(&b);
}

/* After 2^32 batches the count of rounds starts again: old keys must not look like those of this batch. */
static void rounds_begin_anew(void **state) {
    (void)state;
    struct batch b;
    const struct event event = {0};
    batch_init(&b, REACTIONS, 10);
    batch_effect(&b, &REACTIONS[0], STR("k"), &event, (struct str){0});
    b.round = UINT32_MAX;
    batch_reset(&b);
    batch_effect(&b, &REACTIONS[0], STR("k"), &event, (struct str){0});
    assert_int_equal(b.runs, 1);
    batch_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_records),       cmocka_unit_test(different_keys_go_together),
        cmocka_unit_test(no_key_is_a_key),   cmocka_unit_test(similar_keys),
        cmocka_unit_test(dead_letters),      cmocka_unit_test(full_by_records_or_bytes),
        cmocka_unit_test(rounds_begin_anew), cmocka_unit_test(any_order_goes_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
