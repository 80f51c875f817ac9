/* The wheel's hash table: found is what was put and not deleted, at any stage of growing; and no pattern of
 * ids makes it slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "wheel_index.h"

enum { IDS = 300000 };

struct fixture {
    struct index index;
    struct entry *at; /* entry i + 1 has id i */
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->at = aligned_alloc(64, (IDS + 1) * sizeof *f->at);
    wheel_index_init(&f->index);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    wheel_index_free(&f->index);
    free(f->at);
    free(f);
    return 0;
}

static struct uuid with(uint64_t high, uint64_t low) {
    struct uuid id;
    memcpy(id.b, &high, 8);
    memcpy(id.b + 8, &low, 8);
    return id;
}

static bool has(const struct fixture *f, uint32_t entry) {
    const struct uuid *id = &f->at[entry].order;
    uint32_t found = wheel_index_find(&f->index, wheel_index_hash(&f->index, id), id, f->at);
    assert_true(found == 0 || found == entry);
    return found != 0;
}

/* More and more, while a third of them come and go. */
static void as_a_set(void **state) {
    struct fixture *f = *state;
    bool *there = calloc(IDS + 1, sizeof *there);
    uint32_t count = 0;
    srandom(1);
    for (uint32_t i = 1; i <= IDS; i++)
        f->at[i].order = with((uint64_t)random(), i);
    for (uint32_t step = 1; step <= 3 * IDS; step++) {
        uint32_t reach = step / 3 + 1, i = 1 + (uint32_t)random() % reach % IDS;
        uint32_t hash = wheel_index_hash(&f->index, &f->at[i].order);
        assert_int_equal(has(f, i), there[i]);
        if (!there[i])
            wheel_index_put(&f->index, hash, i);
        else if (random() % 3 == 0)
            wheel_index_delete(&f->index, hash, i);
        else
            continue;
        there[i] = !there[i];
        count += there[i] ? 1 : UINT32_MAX;
        assert_int_equal(has(f, i), there[i]);
    }
    for (uint32_t i = 1; i <= IDS; i++)
        assert_int_equal(has(f, i), there[i]);
    assert_int_equal(f->index.count, count);
    assert_true(count > IDS / 2);
    free(there);
}

static uint32_t longest_way(const struct index_table *t) {
    uint32_t longest = 0;
    for (uint32_t b = 0; b <= t->mask; b++) {
        for (int i = 0; i < INDEX_BUCKET; i++) {
            uint32_t way = (b - t->buckets[b].hash[i]) & t->mask;
            if (t->buckets[b].entry[i] != 0 && way > longest) longest = way;
        }
    }
    return longest;
}

/* One more would make the table grow: it is as full as it gets. */
static void no_pattern_of_ids_makes_long_ways(void **state) {
    struct fixture *f = *state;
    enum { BUCKETS = 1 << 15, MANY = BUCKETS / 4 * 3 * INDEX_BUCKET };
    for (int pattern = 0; pattern < 5; pattern++) {
        for (uint64_t i = 0; i < MANY; i++) {
            struct uuid ids[] = {with(0, i), with(i, 0), with(i, i), with(i << 40, 7), with(1, i << 32)};
            f->at[i + 1].order = ids[pattern];
            wheel_index_put(&f->index, wheel_index_hash(&f->index, &ids[pattern]), (uint32_t)i + 1);
        }
        assert_null(f->index.old.buckets);
        assert_int_equal(f->index.table.mask + 1, BUCKETS);
        assert_true(longest_way(&f->index.table) < 100); /* by chance mostly 20; rarely 40 */
        wheel_index_clear(&f->index);
    }
}

/* Nobody is counted any more where all have gone: a search there ends at once again. */
static void what_is_deleted_leaves_no_mark(void **state) {
    struct fixture *f = *state;
    enum { MANY = 100000 };
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 1; i <= MANY; i++) {
            f->at[i].order = with(i, i);
            wheel_index_put(&f->index, wheel_index_hash(&f->index, &f->at[i].order), i);
        }
        for (uint32_t i = 1; i <= MANY; i++)
            wheel_index_delete(&f->index, wheel_index_hash(&f->index, &f->at[i].order), i);
        const struct index_table *t = &f->index.table;
        for (uint32_t b = 0; b <= t->mask; b++)
            assert_int_equal(t->buckets[b].passed, 0);
    }
}

static void each_table_has_its_own_hash(void **state) {
    struct fixture *f = *state;
    struct index other;
    struct uuid id = with(1, 2), next = with(1, 3);
    wheel_index_init(&other);
    assert_int_not_equal(wheel_index_hash(&f->index, &id), wheel_index_hash(&f->index, &next));
    assert_int_not_equal(wheel_index_hash(&f->index, &id),
                         wheel_index_hash(&other, &id)); /* 2^-32: not in our time */
    wheel_index_free(&other);
}

/* Added in equal shares, none of which is a table's worth of work. */
static void grows_in_steps(void **state) {
    struct fixture *f = *state;
    uint32_t most = 0;
    for (uint32_t i = 1; i <= IDS; i++) {
        uint32_t before = f->index.moved;
        f->at[i].order = with(i, i);
        wheel_index_put(&f->index, wheel_index_hash(&f->index, &f->at[i].order), i);
        uint32_t step = f->index.moved - before;
        if (f->index.moved > before && step > most) most = step;
    }
    assert_in_range(most, 1, 2);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(as_a_set), T(no_pattern_of_ids_makes_long_ways),
                                       T(what_is_deleted_leaves_no_mark), T(each_table_has_its_own_hash),
                                       T(grows_in_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
