/* What the stream state remembers of versions, against a model that keeps all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "versions.h"

enum { IDS = 5000, STEPS = 200000, KEEP_MS = 1000 };

/* As the places of an area: alike but for their last bits. */
static struct uuid id_of(uint32_t n) {
    return (struct uuid){.b = {1, 2, 3, [6] = 0x70, [8] = 0x80, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n}};
}

static void only_what_is_higher_is_new(void **state) {
    (void)state;
    static int32_t model[IDS];
    struct versions *v = versions_new(KEEP_MS);
    srand(7);
    for (int i = 0; i < STEPS; i++) {
        uint32_t n = (uint32_t)rand() % IDS;
        int32_t version = 1 + rand() % 50;
        struct uuid id = id_of(n);
        assert_int_equal(versions_raise(v, &id, version, 1), version > model[n]);
        if (version > model[n]) model[n] = version;
    }
    assert_int_equal(versions_count(v), IDS);
    assert_true(versions_bytes(v) < IDS * 54);
    versions_free(v);
}

static void an_id_is_known_for_as_long_as_it_must_be(void **state) {
    (void)state;
    struct versions *v = versions_new(KEEP_MS);
    struct uuid first = id_of(1), often = id_of(2);
    assert_true(versions_raise(v, &first, 3, 1));
    for (int64_t now_ms = 1; now_ms < 2 * KEEP_MS; now_ms += 10) {
        assert_false(versions_raise(v, &first, 3, now_ms));
        assert_true(versions_raise(v, &often, (int32_t)now_ms, now_ms));
    }
    assert_false(versions_raise(v, &often, 1, 3 * KEEP_MS));
    assert_true(versions_raise(v, &first, 3, 3 * KEEP_MS)); /* forgotten */
    versions_free(v);
}

static void nothing_is_known_at_first(void **state) {
    (void)state;
    struct versions *v = versions_new(KEEP_MS);
    struct uuid id = id_of(0);
    assert_int_equal(versions_count(v), 0);
    assert_int_equal(versions_bytes(v), 0);
    assert_true(versions_raise(v, &id, 1, 5));
    versions_free(v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_higher_is_new),
        cmocka_unit_test(an_id_is_known_for_as_long_as_it_must_be),
        cmocka_unit_test(nothing_is_known_at_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
