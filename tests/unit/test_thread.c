/* thread: signals stay the main thread's, and an end is waited for as long as told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "clock.h"
#include "thread.h"

struct probe {
    sigset_t blocked;
    pthread_barrier_t end;
};

static void *look(void *arg) {
    struct probe *p = arg;
    pthread_sigmask(SIG_BLOCK, NULL, &p->blocked);
    pthread_barrier_wait(&p->end);
    return NULL;
}

static void test_takes_no_signal_and_leaves_the_callers_as_they_were(void **state) {
    (void)state;
    struct probe p = {0};
    pthread_barrier_init(&p.end, NULL, 2);
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    pthread_t thread = thread_start("probe", look, &p);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
    pthread_barrier_wait(&p.end);
    assert_true(thread_join(thread, clock_mono_us() + 10 * 1000 * 1000));
    assert_int_equal(sigismember(&p.blocked, SIGTERM), 1);
    assert_int_equal(sigismember(&p.blocked, SIGINT), 1);
    pthread_barrier_destroy(&p.end);
}

static void *wait_for_end(void *arg) {
    pthread_barrier_wait(arg);
    return NULL;
}

static void test_is_waited_for_no_longer_than_told(void **state) {
    (void)state;
    pthread_barrier_t end;
    pthread_barrier_init(&end, NULL, 2);
    pthread_t thread = thread_start("probe", wait_for_end, &end);
    assert_false(thread_join(thread, clock_mono_us() + 1000));
    char name[16];
    pthread_getname_np(thread, name, sizeof name);
    assert_string_equal(name, "probe");
    pthread_barrier_wait(&end);
    assert_true(thread_join(thread, clock_mono_us() + 10 * 1000 * 1000));
    pthread_barrier_destroy(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_no_signal_and_leaves_the_callers_as_they_were),
        cmocka_unit_test(test_is_waited_for_no_longer_than_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
