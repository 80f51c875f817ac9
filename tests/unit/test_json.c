#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>

#include "clock.h"
#include "json.h"

static void expect_written(struct json *j, const char *wanted) {
    buf_add(&j->out, "", 1);
    assert_string_equal((char *)j->out.data, wanted);
    buf_free(&j->out);
}

static void commas_come_by_themselves(void **state) {
    (void)state;
    struct json j = {0};
    json_open(&j, '{');
    json_key(&j, "a");
    json_int(&j, 1);
    json_key(&j, "b");
    json_open(&j, '[');
    json_bool(&j, true);
    json_nil(&j);
    json_open(&j, '{');
    json_close(&j, '}');
    json_raw(&j, STR("[]"));
    json_close(&j, ']');
    json_key(&j, "c");
    json_bool(&j, false);
    json_close(&j, '}');
    expect_written(&j, "{\"a\":1,\"b\":[true,null,{},[]],\"c\":false}");
}

static void text_is_escaped(void **state) {
    (void)state;
    struct json j = {0};
    json_text(&j, STR("a\"b\\c\n\t\r\b\f\x01\x1f\x7f/é€𝄞\xff\xc3(\xed\xa0\x80\xe2\x82"));
    expect_written(&j,
                   "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001\\u001f\\u007f/é€𝄞"
                   "\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* Whatever bytes go in, what comes out is JSON, and valid text comes out the same. */
static void any_bytes_make_json(void **state) {
    (void)state;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        char bytes[24];
        size_t n = (size_t)rand() % sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(rand() % (round % 2 ? 256 : 128));
        struct json j = {0};
        json_text(&j, (struct str){bytes, n});
        json_t *back = json_loadb((char *)j.out.data, j.out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(back);
        if (round % 2 == 0) {
            assert_int_equal(json_string_length(back), n);
            assert_memory_equal(json_string_value(back), bytes, n);
        }
        json_decref(back);
        buf_free(&j.out);
    }
}

static void numbers(void **state) {
    (void)state;
    struct json j = {0};
    json_open(&j, '[');
    json_int(&j, 0);
    json_int(&j, INT64_MIN);
    json_int(&j, INT64_MAX);
    json_close(&j, ']');
    expect_written(&j, "[0,-9223372036854775808,9223372036854775807]");

    static const struct {
        int64_t minor;
        int decimals;
    } cases[] = {{2050, 2},     {2000, 2}, {5, 2},    {-5, 2},       {0, 2},
                 {99999999, 2}, {7, 0},    {1001, 3}, {INT64_MIN, 2}};
    j = (struct json){0};
    json_open(&j, '[');
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        json_minor(&j, cases[i].minor, cases[i].decimals);
    json_close(&j, ']');
    expect_written(&j, "[20.5,20,0.05,-0.05,0,999999.99,7,1.001,-92233720368547758.08]");
}

static void uuid(void **state) {
    (void)state;
    struct uuid id;
    assert_true(uuid_parse(STR("0199A2C0-0000-7000-8000-0123456789AB"), &id));
    struct json j = {0};
    json_uuid(&j, &id);
    expect_written(&j, "\"0199a2c0-0000-7000-8000-0123456789ab\"");
}

static void members(void **state) {
    (void)state;
    struct uuid id;
    assert_true(uuid_parse(STR("0199a2c0-0000-7000-8000-0123456789ab"), &id));
    struct json j = {0};
    json_open(&j, '{');
    json_put_uuid(&j, "id", id);
    json_put_text(&j, "title", STR("a \"b\""));
    json_put_int(&j, "version", -3);
    json_close(&j, '}');
    expect_written(
        &j, "{\"id\":\"0199a2c0-0000-7000-8000-0123456789ab\",\"title\":\"a \\\"b\\\"\",\"version\":-3}");
}

static void time_is_rfc3339(void **state) {
    (void)state;
    struct json j = {0};
    json_time(&j, 1795231171123456);
    expect_written(&j, "\"2026-11-21T03:19:31.123Z\"");

    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(951782400000000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(4107542399999999), "2100-02-28T23:59:59.999Z"},
        {INT64_C(-62167219200000000), "0000-01-01T00:00:00.000Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[CLOCK_TEXT + 1] = "";
        clock_format(cases[i].us, text);
        assert_string_equal(text, cases[i].text);
    }
    for (int64_t day = -719528; day < 2932897; day += 13) { /* against the C library, years 0 to 9999 */
        char ours[CLOCK_TEXT + 1] = "", theirs[64];
        clock_format(day * INT64_C(86400000000), ours);
        struct tm tm;
        time_t seconds = (time_t)(day * 86400);
        assert_non_null(gmtime_r(&seconds, &tm));
        snprintf(theirs, sizeof theirs, "%04d-%02d-%02dT00:00:00.000Z", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday);
        assert_string_equal(ours, theirs);
        int64_t back_us;
        assert_true(clock_parse(str_of(ours), &back_us));
        assert_true(back_us == day * INT64_C(86400000000));
    }
}

static void times_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01", 0},
        {"1970-01-02t01:00:00+01:00", INT64_C(86400000000)},
        {"1969-12-31T23:30:00.000001-00:30", 1},
        {"2000-02-29T00:00:00.5z", INT64_C(951782400500000)},
        {"1970-01-01T00:00:00.1234567Z", 123456},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"0000-01-01", INT64_C(-62167219200000000)},
    };
    static const char *const bad[] = {
        "",
        "1970",
        "1970-1-1",
        "1970-13-01",
        "1970-00-01",
        "1970-01-00",
        "1970-01-32",
        "1900-02-29",
        "2001-02-29",
        "+1970-01-01",
        "1970-01-01T",
        "1970-01-01T00:00Z",
        "1970-01-01T00:00:00",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:61Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00+1",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00Zx",
        "1970-01-01Z",
    };
    int64_t us;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(clock_parse(str_of(good[i].text), &us));
        assert_true(us == good[i].us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(clock_parse(str_of(bad[i]), &us));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_come_by_themselves),
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(any_bytes_make_json),
        cmocka_unit_test(numbers),
        cmocka_unit_test(uuid),
        cmocka_unit_test(members),
        cmocka_unit_test(time_is_rfc3339),
        cmocka_unit_test(times_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
