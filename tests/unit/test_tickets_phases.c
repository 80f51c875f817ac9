#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "phases.h"

#define HEAD "{\"phases\":["
#define FIRST                                                                                                  \
    "{\"name\":\" Presale \",\"opensAt\":\"2030-03-01T10:00:00+01:00\",\"closesAt\":\"2030-03-02T09:00:00Z\"," \
    "\"areas\":[\"0198C2A4-6B51-7C3E-9A51-3F6B2C000000\"],\"perUser\":2}"
#define SECOND                                                                                               \
    "{\"name\":\"Sale\",\"opensAt\":\"2030-03-02T09:00:00Z\",\"closesAt\":\"2030-03-03T09:00:00.0019Z\","    \
    "\"perUser\":6,\"queue\":true,\"codes\":false}"

static int read_phases(const char *text, struct phases_input *out, struct arena *arena) {
    struct body_error errors[BODY_MAX_ERRORS];
    *out = (struct phases_input){0};
    return body_read(str_of(text), phases_fields, out, arena, errors);
}

static void keeps_what_is_said(void **state) {
    (void)state;
    struct arena arena = {0};
    struct phases_input in;
    assert_int_equal(read_phases(HEAD FIRST "," SECOND "]}", &in, &arena), 0);
    assert_null(phases_check(&in, &arena));
    assert_string_equal(
        phases_text(&in, &arena).p,
        "[{\"name\":\"Presale\",\"opensAt\":\"2030-03-01T09:00:00.000Z\","
        "\"closesAt\":\"2030-03-02T09:00:00.000Z\","
        "\"areas\":[\"0198c2a4-6b51-7c3e-9a51-3f6b2c000000\"],\"perUser\":2,"
        "\"queue\":false,\"codes\":false},"
        "{\"name\":\"Sale\",\"opensAt\":\"2030-03-02T09:00:00.000Z\","
        "\"closesAt\":\"2030-03-03T09:00:00.001Z\",\"perUser\":6,\"queue\":true,\"codes\":false}]");
    arena_free(&arena);
}

static void none_is_an_empty_text(void **state) {
    (void)state;
    struct arena arena = {0};
    struct phases_input in;
    assert_int_equal(read_phases("{\"phases\":[]}", &in, &arena), 0);
    assert_null(phases_check(&in, &arena));
    assert_int_equal(phases_text(&in, &arena).n, 0);
    assert_int_equal(read_phases("{}", &in, &arena), 1);
    arena_free(&arena);
}

static void a_year_that_a_database_cannot_read_is_refused(void **state) {
    (void)state;
    struct arena arena = {0};
    struct phases_input in;
    assert_int_equal(read_phases(HEAD "{\"name\":\"Sale\",\"opensAt\":\"0000-03-02T09:00:00Z\","
                                      "\"closesAt\":\"2030-03-03T09:00:00Z\",\"perUser\":6}]}",
                                 &in, &arena),
                     1);
    arena_free(&arena);
}

static void overlaps_are_refused(void **state) {
    (void)state;
    struct arena arena = {0};
    struct phases_input in;
    assert_int_equal(read_phases(HEAD SECOND "," FIRST "]}", &in, &arena), 0);
    assert_string_equal(phases_check(&in, &arena), "number 2 must not open before the one before it closes");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_is_said),
        cmocka_unit_test(none_is_an_empty_text),
        cmocka_unit_test(a_year_that_a_database_cannot_read_is_refused),
        cmocka_unit_test(overlaps_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
