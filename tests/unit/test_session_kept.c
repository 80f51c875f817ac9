/* The table of verified sessions: grows with them up to a bound, and never takes one for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "priv/session_priv.h"

enum { BUYERS = 50000, CROWD = 300000, SMALL = 1024, MOST_PLACES = 131072 };

/* Digests are as good as random: splitmix64. */
static uint64_t mixed(uint64_t x) {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

static struct session_digest digest_of(uint64_t n) {
    return (struct session_digest){mixed(2 * n), mixed(2 * n + 1)};
}

static const struct identity *add(struct session_kept *kept, uint64_t n) {
    char email[32];
    int length = snprintf(email, sizeof email, "user%llu@example.com", (unsigned long long)n);
    struct identity id = {
        .email = {email, (size_t)length}, .issued_s = (int64_t)n, .expires_s = (int64_t)n + 1};
    memcpy(id.user.b, &n, sizeof n);
    struct session_digest digest = digest_of(n);
    return kept_add(kept, &digest, &id);
}

static bool is_there(struct session_kept *kept, uint64_t n) {
    struct session_digest digest = digest_of(n);
    const struct identity *id = kept_find(kept, &digest);
    if (id == NULL) return false;
    char email[32];
    snprintf(email, sizeof email, "user%llu@example.com", (unsigned long long)n);
    assert_true(str_eq(id->email, str_of(email)));
    assert_memory_equal(id->user.b, &n, sizeof n);
    assert_int_equal(id->issued_s, n);
    return true;
}

static void a_few_take_little(void **state) {
    (void)state;
    struct session_kept *kept = kept_new();
    assert_true(kept_places(kept) <= SMALL);
    assert_false(is_there(kept, 1));
    assert_non_null(add(kept, 1));
    assert_true(is_there(kept, 1));
    assert_false(is_there(kept, 2));
    assert_true(kept_places(kept) <= SMALL);
    kept_free(kept);
}

static void all_buyers_of_an_on_sale_are_kept(void **state) {
    (void)state;
    struct session_kept *kept = kept_new();
    int there = 0;
    for (uint64_t n = 0; n < BUYERS; n++)
        add(kept, n);
    for (uint64_t n = 0; n < BUYERS; n++)
        there += is_there(kept, n);
    assert_in_range(there, BUYERS * 995 / 1000, BUYERS);
    assert_false(is_there(kept, BUYERS));
    kept_free(kept);
}

static void a_crowd_does_not_take_more_than_there_is(void **state) {
    (void)state;
    struct session_kept *kept = kept_new();
    for (uint64_t n = 0; n < CROWD; n++) {
        add(kept, n);
        assert_true(is_there(kept, n));
        assert_true(is_there(kept, 0)); /* who is busy stays */
    }
    assert_int_equal(kept_places(kept), MOST_PLACES);
    kept_free(kept);
}

static void what_is_dropped_is_gone(void **state) {
    (void)state;
    struct session_kept *kept = kept_new();
    for (uint64_t n = 0; n < SMALL; n++)
        add(kept, n);
    struct session_digest digest = digest_of(7), other = {digest_of(7).a, digest_of(8).b};
    assert_null(kept_find(kept, &other));
    kept_drop(kept, &other);
    assert_true(is_there(kept, 7));
    kept_drop(kept, &digest);
    assert_false(is_there(kept, 7));
    assert_true(is_there(kept, 8));
    kept_drop_all(kept);
    for (uint64_t n = 0; n < SMALL; n++)
        assert_false(is_there(kept, n));
    kept_free(kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_take_little),
        cmocka_unit_test(all_buyers_of_an_on_sale_are_kept),
        cmocka_unit_test(a_crowd_does_not_take_more_than_there_is),
        cmocka_unit_test(what_is_dropped_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
