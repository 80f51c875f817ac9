#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "maps.h"

static const struct uuid show = {{1}}, other_show = {{2}}, area = {.b = {[11] = 3, [12] = 7}},
                         neighbour = {.b = {[11] = 4, [12] = 7 + 64}};

enum { NOW_US = 5000000 };

static void finds_what_its_thread_kept(void **state) {
    (void)state;
    struct maps *maps = maps_new(2);
    struct str body;
    assert_false(maps_find(maps, 1, &show, &area, NOW_US, &body));
    maps_keep(maps, 1, &show, &area, NOW_US, STR("{\"rows\":[]}"));
    assert_true(maps_find(maps, 1, &show, &area, NOW_US, &body));
    assert_true(str_eq(body, STR("{\"rows\":[]}")));
    assert_false(maps_find(maps, 0, &show, &area, NOW_US, &body));
    assert_false(maps_find(maps, 1, &other_show, &area, NOW_US, &body));
    assert_false(maps_find(maps, 1, &show, &neighbour, NOW_US, &body));
    maps_keep(maps, 1, &show, &area, NOW_US, STR("{}"));
    assert_true(maps_find(maps, 1, &show, &area, NOW_US, &body));
    assert_true(str_eq(body, STR("{}")));
    maps_free(maps);
}

static void a_slot_is_for_one_area(void **state) {
    (void)state;
    struct maps *maps = maps_new(1);
    struct str body;
    maps_keep(maps, 0, &show, &area, NOW_US, STR("a"));
    maps_keep(maps, 0, &show, &neighbour, NOW_US, STR("b"));
    assert_false(maps_find(maps, 0, &show, &area, NOW_US, &body));
    assert_true(maps_find(maps, 0, &show, &neighbour, NOW_US, &body));
    maps_free(maps);
}

static void what_is_too_large_is_not_kept(void **state) {
    (void)state;
    struct maps *maps = maps_new(1);
    struct str body;
    size_t n = 256 * 1024 + 1;
    char *large = calloc(1, n);
    maps_keep(maps, 0, &show, &area, NOW_US, (struct str){large, n});
    assert_false(maps_find(maps, 0, &show, &area, NOW_US, &body));
    maps_keep(maps, 0, &show, &area, NOW_US, (struct str){large, n - 1});
    assert_true(maps_find(maps, 0, &show, &area, NOW_US, &body));
    free(large);
    maps_free(maps);
}

static bool found(struct maps *maps, int64_t after_us) {
    struct str body;
    return maps_find(maps, 0, &show, &area, NOW_US + after_us, &body);
}

static void one_request_asks_for_a_new_one(void **state) {
    (void)state;
    struct maps *maps = maps_new(1);
    maps_keep(maps, 0, &show, &area, NOW_US, STR("a"));
    assert_true(found(maps, 499999));
    assert_false(found(maps, 500000));
    assert_true(found(maps, 500000)); /* it is being asked for */
    assert_true(found(maps, 699999));
    assert_false(found(maps, 700000)); /* no answer came: the next one asks */
    assert_false(found(maps, 900000)); /* and none is older than a second */
    assert_false(found(maps, 900000));
    maps_keep(maps, 0, &show, &area, NOW_US + 900001, STR("b"));
    assert_true(found(maps, 900002));
    maps_free(maps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_its_thread_kept),
        cmocka_unit_test(a_slot_is_for_one_area),
        cmocka_unit_test(one_request_asks_for_a_new_one),
        cmocka_unit_test(what_is_too_large_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
