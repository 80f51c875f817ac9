#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

static const char *address, *secret;
static int64_t port, wait_ms, any;
static bool secure;

static const struct config_var settings[] = {
    {"T_ADDRESS", CONFIG_TEXT, &address, "127.0.0.1", "where to listen", 0, 0},
    {"T_SECRET", CONFIG_SECRET, &secret, "", "a key", 0, 0},
    {"T_PORT", CONFIG_INT, &port, NULL, "the port", 1, 65535},
    {"T_WAIT", CONFIG_DURATION, &wait_ms, "15m", "how long", 100, 86400000},
    {"T_SECURE", CONFIG_BOOL, &secure, "true", "cookies by https only", 0, 0},
    {0},
};
static const struct config_var more[] = {{"T_ANY", CONFIG_INT, &any, "-5", "any number", 0, 0}, {0}};
static const struct config_var *const tables[] = {settings, NULL, more};

static void load(void) {
    struct why w = {0};
    if (config_load(tables, 3, &w) != ST_OK) fail_msg("%s", w.text);
}

static int reset(void **state) {
    (void)state;
    unsetenv("T_ADDRESS");
    unsetenv("T_SECRET");
    unsetenv("T_SECRET_FILE");
    unsetenv("T_WAIT");
    unsetenv("T_SECURE");
    unsetenv("T_ANY");
    setenv("T_PORT", "8080", 1);
    return 0;
}

static void defaults_and_values(void **state) {
    (void)state;
    load();
    assert_string_equal(address, "127.0.0.1");
    assert_string_equal(secret, "");
    assert_int_equal(port, 8080);
    assert_int_equal(wait_ms, 15 * 60 * 1000);
    assert_true(secure);
    assert_int_equal(any, -5);

    setenv("T_ADDRESS", "0.0.0.0", 1);
    setenv("T_SECURE", "Off", 1);
    setenv("T_WAIT", "", 1); /* empty: as if not given */
    load();
    assert_string_equal(address, "0.0.0.0");
    assert_false(secure);
    assert_int_equal(wait_ms, 15 * 60 * 1000);
}

static void durations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"250ms", 250}, {"3", 3000},       {"3s", 3000},
                 {"2m", 120000}, {"24h", 86400000}, {"1d", 86400000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("T_WAIT", cases[i].text, 1);
        load();
        assert_int_equal(wait_ms, cases[i].ms);
    }
}

static void bad_values_are_one_clear_line(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *line;
    } cases[] = {
        {"T_PORT", "x", "T_PORT: must be a number from 1 to 65535, got \"x\""},
        {"T_PORT", "0", "T_PORT: must be a number from 1 to 65535, got \"0\""},
        {"T_PORT", "65536", "T_PORT: must be a number from 1 to 65535, got \"65536\""},
        {"T_PORT", "80 ", "T_PORT: must be a number from 1 to 65535, got \"80 \""},
        {"T_PORT", " 80", "T_PORT: must be a number from 1 to 65535, got \" 80\""},
        {"T_PORT", "99999999999999999999",
         "T_PORT: must be a number from 1 to 65535, got \"99999999999999999999\""},
        {"T_PORT", "", "T_PORT: must be given: a number from 1 to 65535 (the port)"},
        {"T_ANY", "-", "T_ANY: must be a number, got \"-\""},
        {"T_SECURE", "maybe", "T_SECURE: must be true or false, got \"maybe\""},
        {"T_WAIT", "15 m",
         "T_WAIT: must be a duration from 100ms to 1d, like 250ms, 15m or 30d, got \"15 m\""},
        {"T_WAIT", "-1s", "T_WAIT: must be a duration from 100ms to 1d, like 250ms, 15m or 30d, got \"-1s\""},
        {"T_WAIT", "99ms",
         "T_WAIT: must be a duration from 100ms to 1d, like 250ms, 15m or 30d, got \"99ms\""},
        {"T_WAIT", "9223372036854775807d",
         "T_WAIT: must be a duration from 100ms to 1d, like 250ms, 15m or 30d, got \"9223372036854775807d\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reset(NULL);
        setenv(cases[i].name, cases[i].value, 1);
        struct why w = {0};
        assert_int_equal(config_load(tables, 3, &w), ST_INVALID);
        assert_string_equal(w.text, cases[i].line);
    }
}

/* The path of a new file with that text; the same for each call. */
static const char *file_with(const char *text) {
    static char path[] = "/tmp/onsale-secret-XXXXXX";
    static int fd = -1;
    if (fd < 0) fd = mkstemp(path);
    assert_true(ftruncate(fd, 0) == 0 && pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
    return path;
}

static void secrets_in_files(void **state) {
    (void)state;
    setenv("T_SECRET_FILE", file_with("hunter2\r\n"), 1);
    setenv("T_SECRET", "", 1); /* as if not given */
    load();
    assert_string_equal(secret, "hunter2");
    free((char *)secret);

    struct why w = {0};
    setenv("T_SECRET", "hunter3", 1);
    assert_int_equal(config_load(tables, 3, &w), ST_INVALID);
    assert_string_equal(w.text, "T_SECRET: give either it or T_SECRET_FILE");
    unsetenv("T_SECRET");
    file_with("\n");
    assert_int_equal(config_load(tables, 3, &w), ST_INVALID);
    assert_non_null(strstr(w.text, ": must have a text of less than 4096 bytes"));
    assert_int_equal(unlink(file_with("")), 0);
    assert_int_equal(config_load(tables, 3, &w), ST_INVALID);
    assert_non_null(strstr(w.text, "T_SECRET_FILE: /tmp/onsale-secret-"));
    setenv("T_ADDRESS_FILE", "/etc/hostname", 1); /* of secrets alone */
    unsetenv("T_SECRET_FILE");
    load();
    assert_string_equal(address, "127.0.0.1");
}

static void help_lists_all_without_values(void **state) {
    (void)state;
    setenv("T_SECRET", "hunter2", 1);
    load();
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    config_help(out, tables, 3);
    fclose(out);
    assert_non_null(
        strstr(text, "T_ADDRESS              text      127.0.0.1                 where to listen\n"));
    assert_non_null(strstr(text, "T_PORT                 number    (required)                the port\n"));
    assert_non_null(strstr(text, "T_WAIT                 duration  15m                       how long\n"));
    assert_non_null(strstr(text, "T_ANY "));
    assert_null(strstr(text, "hunter2"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_and_values, reset),
        cmocka_unit_test_setup(durations, reset),
        cmocka_unit_test_setup(bad_values_are_one_clear_line, reset),
        cmocka_unit_test_setup(secrets_in_files, reset),
        cmocka_unit_test_setup(help_lists_all_without_values, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
