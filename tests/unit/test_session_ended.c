/* The table of sessions that ended before they expired: finds each of them, and forgets what has expired. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "priv/session_priv.h"

enum { NOW = 1000, LATER = 2000, MANY = 20000, GENERATIONS = 5 };

static struct uuid id_of(uint64_t n) {
    struct uuid id = uuid_v7();
    memcpy(id.b, &n, sizeof n);
    memcpy(id.b + 8, &n, sizeof n);
    return id;
}

static struct identity session(uint64_t user, uint64_t id, int32_t version) {
    return (struct identity){.user = id_of(user), .session = id_of(id), .version = version};
}

static void a_session_ends_by_itself(void **state) {
    (void)state;
    struct session_ended *ended = ended_new();
    struct identity one = session(1, 10, 1), other = session(1, 11, 1), old = {.user = id_of(1)};
    assert_false(ended_has(ended, &one));
    ended_add(ended, &(struct session_end){one.session, SESSION_ENDED, LATER}, NOW);
    assert_true(ended_has(ended, &one));
    assert_false(ended_has(ended, &other));
    assert_false(ended_has(ended, &old));
    ended_free(ended);
}

static void all_of_a_user_end(void **state) {
    (void)state;
    struct session_ended *ended = ended_new();
    struct identity old = {.user = id_of(1)}, before = session(1, 10, 2), after = session(1, 11, 3),
                    other = session(2, 12, 1);
    ended_add(ended, &(struct session_end){id_of(1), 3, LATER}, NOW);
    ended_add(ended, &(struct session_end){id_of(1), 2, LATER}, NOW); /* told late */
    assert_true(ended_has(ended, &old));
    assert_true(ended_has(ended, &before));
    assert_false(ended_has(ended, &after));
    assert_false(ended_has(ended, &other));
    ended_add(ended, &(struct session_end){id_of(1), 4, LATER}, NOW);
    assert_true(ended_has(ended, &after));
    ended_free(ended);
}

static void many_are_found_and_what_expired_is_forgotten(void **state) {
    (void)state;
    struct session_ended *ended = ended_new();
    ended_add(ended, &(struct session_end){id_of(1), SESSION_ENDED, NOW}, NOW);
    assert_int_equal(ended_places(ended), 0); /* expired already */
    for (uint64_t n = 1; n <= MANY; n++)
        ended_add(ended, &(struct session_end){id_of(n), SESSION_ENDED, LATER}, NOW);
    for (uint64_t n = 1; n <= MANY; n++) {
        struct identity in = session(MANY + n, n, 1), out = session(MANY + n, MANY + n, 1);
        assert_true(ended_has(ended, &in));
        assert_false(ended_has(ended, &out));
    }
    assert_true(ended_places(ended) <= 8 * MANY);
    for (uint64_t at = 1; at <= GENERATIONS;
         at++) /* each expires before the next: those of before are gone */
        for (uint64_t n = 1; n <= MANY; n++)
            ended_add(
                ended,
                &(struct session_end){id_of(at * MANY + n), SESSION_ENDED, NOW + (int64_t)(at + 1) * LATER},
                NOW + (int64_t)at * LATER);
    assert_true(ended_places(ended) <= 8 * MANY);
    ended_free(ended);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_ends_by_itself),
        cmocka_unit_test(all_of_a_user_end),
        cmocka_unit_test(many_are_found_and_what_expired_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
