#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "recent.h"

enum { NOW_US = 5000000 };

static struct recent_answer body(const char *text) {
    return (struct recent_answer){.body = str_of(text)};
}

static void finds_what_its_thread_kept(void **state) {
    (void)state;
    struct recent *recent = recent_new(2);
    struct recent_answer found;
    assert_int_not_equal(recent_find(recent, 1, STR("a"), NOW_US, &found), RECENT_FOUND);
    recent_put(recent, 1, STR("a"), NOW_US, (struct recent_answer){STR("{\"rows\":[]}"), STR("<next>")});
    assert_int_equal(recent_find(recent, 1, STR("a"), NOW_US, &found), RECENT_FOUND);
    assert_true(str_eq(found.body, STR("{\"rows\":[]}")));
    assert_true(str_eq(found.link, STR("<next>")));
    assert_int_not_equal(recent_find(recent, 0, STR("a"), NOW_US, &found), RECENT_FOUND);
    recent_put(recent, 1, STR("a"), NOW_US, body("{}"));
    assert_int_equal(recent_find(recent, 1, STR("a"), NOW_US, &found), RECENT_FOUND);
    assert_true(str_eq(found.body, STR("{}")));
    assert_int_equal(found.link.n, 0);
    recent_free(recent);
}

static bool found(struct recent *recent, int64_t after_us) {
    struct recent_answer answer;
    return recent_find(recent, 0, STR("a"), NOW_US + after_us, &answer) == RECENT_FOUND;
}

static void one_request_asks_for_a_new_one(void **state) {
    (void)state;
    struct recent *recent = recent_new(1);
    recent_put(recent, 0, STR("a"), NOW_US, body("a"));
    assert_true(found(recent, 499999));
    assert_false(found(recent, 500000));
    assert_true(found(recent, 500000)); /* it is being asked for */
    assert_true(found(recent, 699999));
    assert_false(found(recent, 700000)); /* no answer came: the next one asks */
    assert_true(found(recent, 899999));
    assert_false(found(recent, 900000));
    assert_true(found(recent, 900001)); /* a slow database is asked by few all the same */
    assert_false(found(recent, 2999999));
    assert_false(found(recent, 3000000)); /* but none is older than 3 s */
    assert_false(found(recent, 3000000));
    recent_put(recent, 0, STR("a"), NOW_US + 3000001, body("b"));
    assert_true(found(recent, 3000002));
    recent_free(recent);
}

static enum recent_look look(struct recent *recent, const char *key, int64_t after_us) {
    struct recent_answer answer;
    return recent_find(recent, 0, str_of(key), NOW_US + after_us, &answer);
}

static void the_first_asks_and_others_wait(void **state) {
    (void)state;
    struct recent *recent = recent_new(1);
    assert_int_equal(look(recent, "a", 0), RECENT_MISSING);
    assert_int_equal(look(recent, "a", 0), RECENT_ASKED);
    assert_int_equal(look(recent, "a", 199999), RECENT_ASKED);
    assert_int_equal(look(recent, "a", 200000), RECENT_MISSING); /* no answer came: the next one asks */
    recent_put(recent, 0, STR("a"), NOW_US + 200001, body("a"));
    assert_int_equal(look(recent, "a", 200002), RECENT_FOUND);
    assert_int_equal(look(recent, "b", 0), RECENT_MISSING);
    recent_drop(recent, 0, STR("b")); /* not for everybody */
    assert_int_equal(look(recent, "b", 0), RECENT_MISSING);
    recent_drop(recent, 0, STR("nobody asked for this"));
    recent_free(recent);
}

static void what_took_long_is_kept_for_longer(void **state) {
    (void)state;
    struct recent *recent = recent_new(1);
    assert_int_equal(look(recent, "a", 0), RECENT_MISSING);
    recent_put(recent, 0, STR("a"), NOW_US + 100000, body("a")); /* a tenth of a second */
    assert_int_equal(look(recent, "a", 899999), RECENT_FOUND);
    assert_int_equal(look(recent, "a", 900000), RECENT_MISSING);
    recent_put(recent, 0, STR("a"), NOW_US + 900001, body("b"));
    assert_int_equal(look(recent, "a", 1400000), RECENT_FOUND);
    assert_int_equal(look(recent, "a", 1400001), RECENT_MISSING);
    recent_put(recent, 0, STR("a"), NOW_US + 11400001, body("c")); /* ten seconds */
    assert_int_equal(look(recent, "a", 14400000), RECENT_FOUND);
    assert_int_equal(look(recent, "a", 14400001), RECENT_MISSING); /* but none is older than 3 s */
    recent_free(recent);
}

static void few_large_ones_are_kept(void **state) {
    (void)state;
    enum { KEYS = 8, LARGE = 1 << 20 };
    struct recent *recent = recent_new(1);
    char key[16], *large = calloc(1, LARGE);
    int count = 0;
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "large %d", i);
        recent_put(recent, 0, str_of(key), NOW_US + i, (struct recent_answer){.body = {large, LARGE}});
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "large %d", i);
        count += look(recent, key, KEYS) == RECENT_FOUND;
    }
    assert_in_range(count, 1, 4);
    assert_int_equal(look(recent, key, KEYS), RECENT_FOUND); /* the newest */
    free(large);
    recent_free(recent);
}

/* More keys than slots: some are lost, none is taken for another. */
static void a_slot_is_for_one_key(void **state) {
    (void)state;
    enum { KEYS = 65 };
    struct recent *recent = recent_new(1);
    struct recent_answer answer;
    char key[16];
    int count = 0;
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key %d", i);
        recent_put(recent, 0, str_of(key), NOW_US, body(key));
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key %d", i);
        if (recent_find(recent, 0, str_of(key), NOW_US, &answer) != RECENT_FOUND) continue;
        assert_true(str_eq(answer.body, str_of(key)));
        count++;
    }
    assert_in_range(count, 1, KEYS - 1);
    recent_free(recent);
}

static void what_is_too_large_is_not_kept(void **state) {
    (void)state;
    struct recent *recent = recent_new(1);
    struct recent_answer found;
    size_t n = (2 << 20) + 1;
    char *large = calloc(1, n);
    recent_put(recent, 0, STR("a"), NOW_US, (struct recent_answer){.body = {large, n}});
    assert_int_not_equal(recent_find(recent, 0, STR("a"), NOW_US, &found), RECENT_FOUND);
    recent_put(recent, 0, STR("a"), NOW_US, (struct recent_answer){.body = {large, n - 1}});
    assert_int_equal(recent_find(recent, 0, STR("a"), NOW_US, &found), RECENT_FOUND);
    recent_put(recent, 0, (struct str){large, n}, NOW_US, body("{}"));
    assert_int_not_equal(recent_find(recent, 0, (struct str){large, n}, NOW_US, &found), RECENT_FOUND);
    free(large);
    recent_free(recent);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_its_thread_kept),     cmocka_unit_test(one_request_asks_for_a_new_one),
        cmocka_unit_test(the_first_asks_and_others_wait), cmocka_unit_test(what_took_long_is_kept_for_longer),
        cmocka_unit_test(few_large_ones_are_kept),        cmocka_unit_test(a_slot_is_for_one_key),
        cmocka_unit_test(what_is_too_large_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
