#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"

#include "log.h"

/* What body writes to stdout, terminated; free() it. */
static char *captured(void (*body)(void)) {
    FILE *file = tmpfile();
    int saved = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    body();
    dup2(saved, STDOUT_FILENO);
    close(saved);
    long n = lseek(fileno(file), 0, SEEK_END);
    char *text = calloc(1, (size_t)n + 1);
    assert_int_equal(pread(fileno(file), text, (size_t)n, 0), n);
    fclose(file);
    return text;
}

static void one_line(void) {
    log_debug("quiet", "not to be seen");
    log_warn("publisher", "slot \"%s\"\n%d", "x", 5);
}

static void a_line_is_an_object(void **state) {
    (void)state;
    log_setup("tickets", LOG_INFO);
    char *text = captured(one_line);
    assert_int_equal(strchr(text, '\n') - text, strlen(text) - 1);
    json_t *line = json_loads(text, 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(line, "service")), "tickets");
    assert_string_equal(json_string_value(json_object_get(line, "part")), "publisher");
    assert_string_equal(json_string_value(json_object_get(line, "message")), "slot \"x\"\n5");
    assert_int_equal(json_string_length(json_object_get(line, "at")), 24);
    json_decref(line);
    free(text);
}

static void long_message(void) {
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_error("part", "%s", text);
}

static void long_messages_are_cut(void **state) {
    (void)state;
    char *text = captured(long_message);
    json_t *line = json_loads(text, 0, NULL);
    assert_int_equal(json_string_length(json_object_get(line, "message")), 1023);
    json_decref(line);
    free(text);
}

static void *speak(void *arg) {
    for (int i = 0; i < 500; i++)
        log_info("thread", "%s", (const char *)arg);
    return NULL;
}

static void speak_together(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, speak, "a message of some length, so that a torn line shows");
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void threads_do_not_mix_lines(void **state) {
    (void)state;
    char *text = captured(speak_together);
    int lines = 0;
    for (char *p = strtok(text, "\n"); p != NULL; p = strtok(NULL, "\n"), lines++) {
        json_t *line = json_loads(p, 0, NULL);
        assert_non_null(line);
        json_decref(line);
    }
    assert_int_equal(lines, 2000);
    free(text);
}

static struct buf made;

static void write_made(void) {
    log_lines(&made);
}

static void made_lines_are_written_as_they_are(void **state) {
    (void)state;
    buf_add(&made, "{}\n{}\n", 6);
    char *text = captured(write_made);
    assert_string_equal(text, "{}\n{}\n");
    assert_int_equal(made.len, 0);
    free(text);
    buf_free(&made);
}

static void levels(void **state) {
    (void)state;
    enum log_level level;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_ERROR);
    assert_false(log_level_parse("loud", &level));
    log_setup("tickets", LOG_WARN);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARN));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_an_object),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(threads_do_not_mix_lines),
        cmocka_unit_test(made_lines_are_written_as_they_are),
        cmocka_unit_test(levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
