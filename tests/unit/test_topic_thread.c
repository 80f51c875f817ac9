/* A thread that reads topics: its life, and what it does about trouble. No broker answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "topic_thread.h"

enum { STOP_MS = 20000 };

struct owner {
    struct topic_thread thread;
    bool may_join;
    _Atomic int steps, finished, closed;
};

static const char *const TOPICS[] = {"things", NULL};

static bool prepare(void *owner) {
    return ((struct owner *)owner)->may_join;
}

static void step(void *owner) {
    struct owner *o = owner;
    struct group_partition *p;
    atomic_fetch_add(&o->steps, 1);
    assert_null(group_poll(o->thread.group, 60000, &p)); /* until it is woken */
}

static void finish(void *owner) {
    struct owner *o = owner;
    assert_non_null(o->thread.group);
    atomic_fetch_add(&o->finished, 1);
}

static void close_owner(void *owner) {
    struct owner *o = owner;
    topic_thread_free(&o->thread);
    atomic_fetch_add(&o->closed, 1);
}

static const struct topic_thread_work work = {
    .prepare = prepare, .step = step, .finish = finish, .close = close_owner};

static enum status open_owner(struct owner *o, struct why *w) {
    static const struct topic_thread_options options = {.name = "owner",
                                                        .group = "owner",
                                                        .brokers = "127.0.0.1:1",
                                                        .topics = TOPICS,
                                                        .leave_ms = 1000,
                                                        .registry_url = "http://127.0.0.1:1"};
    *o = (struct owner){.may_join = true};
    return topic_thread_init(&o->thread, &options, &work, o, w);
}

static void await_steps(struct owner *o, int n) {
    while (atomic_load(&o->steps) < n)
        clock_wait(-1, clock_mono_us() + 1000);
}

static void from_joining_to_leaving(void **state) {
    (void)state;
    struct owner o;
    struct why w = {0};
    assert_int_equal(open_owner(&o, &w), ST_OK);
    assert_false(topic_thread_ready(&o.thread, &w));
    topic_thread_wake(&o.thread); /* before there is a group */
    topic_thread_start(&o.thread);
    await_steps(&o, 1);
    topic_thread_wake(&o.thread);
    await_steps(&o, 2);
    topic_thread_stop(&o.thread, STOP_MS);
    assert_int_equal(o.finished, 1);
    assert_int_equal(o.closed, 1);
}

static void the_end_may_come_before_it_joins(void **state) {
    (void)state;
    struct owner o;
    struct why w = {0};
    assert_int_equal(open_owner(&o, &w), ST_OK);
    o.may_join = false;
    topic_thread_start(&o.thread);
    topic_thread_stop(&o.thread, STOP_MS);
    assert_int_equal(o.steps, 0);
    assert_int_equal(o.finished, 0);
    assert_int_equal(o.closed, 1);
}

static void a_wrong_property_is_refused(void **state) {
    (void)state;
    struct owner o;
    struct why w = {0};
    setenv("RDKAFKA_GROUP_ID", "other", 1);
    assert_int_equal(open_owner(&o, &w), ST_INVALID);
    assert_non_null(strstr(w.text, "group.id must stay onsale-owner"));
    unsetenv("RDKAFKA_GROUP_ID");
}

/* Whatever is wrong after the start is trouble, not the end of the process. */
static void a_group_that_cannot_be_joined_is_tried_again(void **state) {
    (void)state;
    struct owner o;
    struct why w = {0};
    assert_int_equal(open_owner(&o, &w), ST_OK);
    setenv("RDKAFKA_GROUP_ID", "other", 1);
    topic_thread_start(&o.thread);
    do {
        clock_wait(-1, clock_mono_us() + 1000);
        assert_false(topic_thread_ready(&o.thread, &w));
    } while (strstr(w.text, "group.id must stay onsale-owner") == NULL);
    topic_thread_stop(&o.thread, STOP_MS);
    assert_int_equal(o.steps, 0);
    assert_int_equal(o.closed, 1);
    unsetenv("RDKAFKA_GROUP_ID");
}

/* --- setbacks --- */

static FILE *output;
static int real_stdout;

/* What was logged meanwhile has so many lines with this text. */
static int lines_with(const char *text) {
    static char all[65536];
    int lines = 0;
    ssize_t n = pread(fileno(output), all, sizeof all - 1, 0);
    all[n < 0 ? 0 : n] = '\0';
    for (const char *p = all; (p = strstr(p, text)) != NULL; p++)
        lines++;
    return lines;
}

static int capture(void **state) {
    (void)state;
    output = tmpfile();
    fflush(stdout);
    real_stdout = dup(STDOUT_FILENO);
    dup2(fileno(output), STDOUT_FILENO);
    return 0;
}

static int release(void **state) {
    (void)state;
    fflush(stdout);
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
    fclose(output);
    return 0;
}

static void set_back(struct owner *o, const char *text) {
    struct why w;
    why(&w, ST_LOST, "%s", text);
    topic_thread_set_back(&o->thread, ST_LOST, &w);
}

static void the_same_trouble_is_logged_once(void **state) {
    (void)state;
    struct owner o;
    struct why w = {0};
    assert_int_equal(open_owner(&o, &w), ST_OK);
    for (int i = 0; i < 3; i++)
        set_back(&o, "the registry is away");
    assert_int_equal(lines_with("the registry is away"), 1);
    assert_false(topic_thread_ready(&o.thread, &w));
    assert_string_equal(w.text, "the registry is away");
    set_back(&o, "Kafka is away");
    set_back(&o, "the registry is away");
    assert_int_equal(lines_with("Kafka is away"), 1);
    assert_int_equal(lines_with("the registry is away"), 2);
    assert_false(topic_thread_may_try(&o.thread));
    topic_thread_went_well(&o.thread);
    assert_true(topic_thread_may_try(&o.thread));
    assert_int_equal(lines_with("going on after 5 setbacks"), 1);
    topic_thread_went_well(&o.thread); /* as ever */
    assert_int_equal(lines_with("going on"), 1);
    set_back(&o, "the registry is away");
    assert_int_equal(lines_with("the registry is away"), 3);
    topic_thread_free(&o.thread);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_joining_to_leaving),
        cmocka_unit_test(the_end_may_come_before_it_joins),
        cmocka_unit_test(a_wrong_property_is_refused),
        cmocka_unit_test(a_group_that_cannot_be_joined_is_tried_again),
        cmocka_unit_test_setup_teardown(the_same_trouble_is_logged_once, capture, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
