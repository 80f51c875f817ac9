/* Places: each person once, in the order of ranks, and then of joining; and what a person takes of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"

static struct uuid id_of(uint32_t n) {
    struct uuid id = {.b = {1, [6] = 0x70}};
    memcpy(id.b + 12, &n, sizeof n);
    return id;
}

/* Evenly spread, and another one for each. */
static uint64_t rank_of(const void *arg, const struct uuid *user) {
    (void)arg;
    uint64_t v;
    memcpy(&v, user->b + 8, 8);
    v ^= v >> 31;
    v *= UINT64_C(0x7fb5d329728ea185);
    v ^= v >> 27;
    v *= UINT64_C(0x81dadef4bc2dd44d);
    return v ^ v >> 33;
}

static void join_all(struct places *p, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        struct uuid id = id_of(i);
        assert_true(places_join(p, &id));
        assert_false(places_join(p, &id));
    }
}

static uint32_t place_of(const struct places *p, uint32_t n) {
    struct uuid id = id_of(n);
    uint32_t place;
    assert_true(places_find(p, &id, &place));
    return place;
}

static void nobody_has_a_place_before_the_opening(void **state) {
    (void)state;
    struct places *p = places_new();
    struct uuid id = id_of(7);
    uint32_t place;
    assert_false(places_find(p, &id, &place));
    join_all(p, 0, 10);
    assert_int_equal(place_of(p, 7), 0);
    assert_false(places_note(p, &id, 3));
    places_free(p);
}

struct ranked {
    uint64_t rank;
    uint32_t who;
};

static int by_rank(const void *a, const void *b) {
    const struct ranked *one = a, *two = b;
    return (one->rank > two->rank) - (one->rank < two->rank);
}

static void opens_by_rank_and_goes_on_by_the_log(void **state) {
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 3, 50, 1000, 100000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint32_t n = sizes[k];
        struct places *p = places_new();
        struct ranked *expected = calloc(n + 1, sizeof *expected);
        join_all(p, 0, n);
        for (uint32_t i = 0; i < n; i++) {
            struct uuid id = id_of(i);
            expected[i] = (struct ranked){rank_of(NULL, &id), i};
        }
        qsort(expected, n, sizeof *expected, by_rank);
        places_open(p, rank_of, NULL);
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(place_of(p, expected[i].who), i + 1);
        join_all(p, n, n + 100);
        for (uint32_t i = n; i < n + 100; i++)
            assert_int_equal(place_of(p, i), i + 1);
        assert_int_equal(places_count(p), n + 100);
        free(expected);
        places_free(p);
    }
}

static uint64_t same_rank(const void *arg, const struct uuid *user) {
    (void)arg, (void)user;
    return 42;
}

/* Also when all of them are in one bucket. */
static void equal_ranks_go_by_user_id(void **state) {
    (void)state;
    struct places *p = places_new();
    for (uint32_t i = 0; i < 100; i++) {
        struct uuid id = {.b = {[0] = (uint8_t)(i * 37 % 100)}};
        assert_true(places_join(p, &id));
    }
    places_open(p, same_rank, NULL);
    for (uint32_t i = 0; i < 100; i++) {
        struct uuid id = {.b = {[0] = (uint8_t)i}};
        uint32_t place;
        assert_true(places_find(p, &id, &place));
        assert_int_equal(place, i + 1);
    }
    places_free(p);
}

static void is_noted_once(void **state) {
    (void)state;
    struct places *p = places_new();
    struct uuid id = id_of(3), nobody = id_of(99);
    join_all(p, 0, 5);
    places_open(p, rank_of, NULL);
    uint32_t place = place_of(p, 3);
    assert_true(places_note(p, &id, 3));
    assert_false(places_note(p, &id, 3));
    assert_false(places_note(p, &nobody, 1));
    assert_int_equal(place_of(p, 3), place);
    assert_true(places_has_bought(p, place));
    assert_true(places_note_more(p, &id)); /* the other two of three */
    assert_true(places_note_more(p, &id));
    assert_false(places_note_more(p, &id));
    assert_false(places_note_more(p, &nobody));
    places_free(p);
}

/* Also of those who said it before the opening, when ranks take that memory for a moment. */
static void what_they_want_is_kept(void **state) {
    (void)state;
    struct places *p = places_new();
    join_all(p, 0, 50);
    for (uint32_t i = 0; i < 50; i++) {
        struct uuid id = id_of(i);
        places_say(p, &id, (int)(i % 9));
    }
    places_open(p, rank_of, NULL);
    join_all(p, 50, 60);
    for (uint32_t i = 0; i < 60; i++) {
        struct uuid id = id_of(i);
        uint32_t place = place_of(p, i);
        assert_true(uuid_eq(places_user(p, place), &id));
        assert_int_equal(places_want(p, place), i < 50 ? i % 9 : 0);
        assert_int_equal(places_want_of(p, &id), places_want(p, place));
        assert_false(places_has_bought(p, place));
    }
    places_free(p);
}

/* Whatever their number, so also right after the arrays have grown. */
static void takes_64_bytes_a_person_at_most(void **state) {
    (void)state;
    struct places *p = places_new();
    for (uint32_t i = 0; i < 300000; i++) {
        struct uuid id = id_of(i);
        places_join(p, &id);
        if (i >= 100) assert_true(places_bytes(p) + 9 * i <= (size_t)PLACES_BYTES * (i + 1));
    }
    places_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_has_a_place_before_the_opening),
        cmocka_unit_test(opens_by_rank_and_goes_on_by_the_log),
        cmocka_unit_test(equal_ranks_go_by_user_id),
        cmocka_unit_test(is_noted_once),
        cmocka_unit_test(what_they_want_is_kept),
        cmocka_unit_test(takes_64_bytes_a_person_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
