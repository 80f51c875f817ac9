/* Requests that wait for a time of their choice, that look again, that hang up, and that want to know when
 * they are over. */
#include "http_fixture.h"

#include <stdatomic.h>
#include <sys/time.h>

static _Atomic int ended;

static void count_end(void *arg) {
    ended += *(int *)arg;
}

static void say_done(struct req *rq) {
    json_text(req_json(rq), STR("done"));
    req_reply(rq, 200);
}

static void hang_up(struct req *rq) {
    req_hang_up(rq);
}

static int asked_ms(struct req *rq) {
    struct str ms;
    if (!req_query(rq, "ms", &ms)) fail_msg("no ms");
    return (int)strtol(ms.p, NULL, 10);
}

static void note_end(struct req *rq) {
    int *one = req_alloc(rq, sizeof *one);
    *one = 1;
    req_at_end(rq, count_end, one);
}

static void get_after(struct req *rq) {
    note_end(rq);
    req_after(rq, asked_ms(rq), say_done);
}

static void get_hang_up(struct req *rq) {
    note_end(rq);
    json_text(req_json(rq), STR("never seen"));
    req_hang_up(rq);
    req_fail(rq, 500, NULL, "nor this");
}

static void get_hang_up_later(struct req *rq) {
    note_end(rq);
    req_after(rq, 5, hang_up);
}

static void get_text(struct req *rq) {
    json_text(req_json(rq), req_path_text(rq, 0));
    req_reply(rq, 200);
}

static void say_hello(struct req *rq) {
    json_text(req_json(rq), STR("hello"));
    req_reply(rq, 200);
}

/* --- requests that look again after a while --- */

static _Atomic int looks;
static _Atomic bool there;

static void look(struct req *rq) {
    looks++;
    if (there)
        say_hello(rq);
    else
        req_later(rq, look);
}

static void look_for_a_while(struct req *rq) {
    looks++;
    if (!req_later_within(rq, look_for_a_while, 3 * REQ_LATER_MS)) req_fail(rq, 404, NULL, "not in time");
}

static void ask_rivals(struct req *rq) {
    if (there)
        say_hello(rq);
    else
        req_again(rq, ask_rivals);
}

/* The clock that h2o's timers go by. */
static _Atomic long clock_set_by_s;

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    int64_t us = clock_wall_us();
    *now = (struct timeval){.tv_sec = us / 1000000 + clock_set_by_s, .tv_usec = us % 1000000};
    return 0;
}

static void look_later_by_an_earlier_clock(struct req *rq) {
    req_later(rq, say_hello);
    clock_set_by_s -= 3600;
}

static _Atomic int looks_of_answered;

static void be_answered_and_look(struct req *rq) {
    looks_of_answered++;
    req_later(rq, be_answered_and_look);
    req_fail(rq, 418, NULL, "answered while it waits");
}

static const struct route routes[] = {
    {"GET", "/after", get_after, 0},
    {"GET", "/hang-up", get_hang_up, 0},
    {"GET", "/hang-up-later", get_hang_up_later, 0},
    {"GET", "/text/{text}", get_text, 0},
    {"GET", "/hello", say_hello, 0},
    {"GET", "/look", look, 0},
    {"GET", "/while", look_for_a_while, 0},
    {"GET", "/rivals", ask_rivals, 0},
    {"GET", "/clock", look_later_by_an_earlier_clock, 0},
    {"GET", "/answered", be_answered_and_look, 0},
    {0},
};

static int start(void **state) {
    (void)state;
    ended = 0;
    hx_start((struct http_options){.routes = routes});
    return 0;
}

static int stop(void **state) {
    (void)state;
    if (hx != NULL) hx_stop();
    return 0;
}

static void waits_as_long_as_it_is_told(void **state) {
    (void)state;
    static const int times[] = {1, 2, 3, 7, 31, 64, 100, 255};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char path[32];
        sprintf(path, "/after?ms=%d", times[i]);
        int64_t begun = clock_mono_us();
        hx_expect(hx_get(path), 200, "\"done\"");
        /* never early, but for the loop's clock of whole milliseconds */
        assert_true(clock_mono_us() - begun >=
                    times[i] * 1000 - 1000 * (1 + __builtin_popcount((unsigned)times[i])));
    }
}

/* Each has its own time, whoever came first. */
static void the_short_do_not_wait_for_the_long(void **state) {
    (void)state;
    struct hx_conn *slow = hx_begin("/after?ms=60000");
    for (int i = 0; i < 3; i++)
        hx_expect(hx_get("/after?ms=3"), 200, "\"done\"");
    hx_until(ended == 3);
    hx_close(slow); /* it is still waited for: nothing tells that the client has left */
    hx_stop();      /* that ends it */
    assert_int_equal(ended, 4);
}

static void what_waits_is_answered_at_the_end(void **state) {
    (void)state;
    struct hx_conn *slow = hx_begin("/after?ms=60000");
    hx_expect(hx_get("/after?ms=1"), 200, "\"done\"");
    http_drain(hx, 100);
    hx_expect_error(hx_receive(slow, false), 503, "Shutting down");
    hx_close(slow);
}

static void hangs_up_without_a_word(void **state) {
    (void)state;
    static const char *const paths[] = {"/hang-up", "/hang-up-later"};
    for (int i = 0; i < 20; i++) {
        struct hx_conn *c = hx_begin(paths[i % 2]);
        assert_true(hx_closed(c));
        hx_close(c);
    }
    hx_until(ended == 20);
    struct hx_conn *left = hx_begin("/hang-up-later"); /* who has left already */
    hx_close(left);
    hx_until(ended == 21);
    hx_expect(hx_get("/text/still%20here"), 200, "\"still here\"");
}

static void gives_the_text_of_a_path(void **state) {
    (void)state;
    hx_expect(hx_get("/text/pi_1A"), 200, "\"pi_1A\"");
    hx_expect_error(hx_get("/text/"), 404, "No such path");
}

/* --- looking again --- */

static void a_request_may_look_again(void **state) {
    (void)state;
    looks = 0;
    there = false;
    int64_t begun = clock_mono_us();
    struct hx_conn *all[20];
    for (int i = 0; i < 20; i++)
        all[i] = hx_begin("/look");
    hx_until(looks >= 100); /* 4 times each, after the first */
    assert_true(clock_mono_us() - begun >= 4 * 1000 * (REQ_LATER_MS - 1));
    hx_expect(hx_get("/hello"), 200, "\"hello\""); /* nobody is kept waiting by them */
    there = true;
    for (int i = 0; i < 20; i++) {
        hx_expect(hx_receive(all[i], false), 200, "\"hello\"");
        hx_close(all[i]);
    }
}

static void it_looks_again_for_so_long_only(void **state) {
    (void)state;
    looks = 0;
    int64_t begun = clock_mono_us();
    hx_expect_error(hx_get("/while"), 404, "Not in time");
    assert_true(clock_mono_us() - begun >= 3 * 1000 * REQ_LATER_MS);
    assert_in_range(looks, 2, 10); /* 4 where nothing else runs */
}

static void who_has_rivals_is_answered_in_the_end(void **state) {
    (void)state;
    there = false;
    struct hx_conn *won = hx_begin("/rivals");
    hx_expect(hx_get("/hello"), 200, "\"hello\"");
    there = true;
    hx_expect(hx_receive(won, false), 200, "\"hello\"");
    there = false;
    int64_t begun = clock_mono_us();
    hx_expect_error(hx_get("/rivals"), 503, "Too many rival requests, try again");
    assert_true(clock_mono_us() - begun >= 1000 * REQ_RIVALS_MS);
    hx_close(won);
}

static void it_looks_again_also_when_the_clock_is_set_back(void **state) {
    (void)state;
    hx_expect(hx_get("/clock"), 200, "\"hello\"");
    hx_expect(hx_get("/clock"), 200, "\"hello\"");
    clock_set_by_s = 0;
}

static void nobody_looks_for_who_has_been_answered(void **state) {
    (void)state;
    looks_of_answered = looks = 0;
    there = false;
    hx_expect_error(hx_get("/answered"), 418, "while it waits");
    struct hx_conn *left = hx_begin("/look");
    hx_until(looks > 2); /* after more than REQ_LATER_MS */
    assert_int_equal(looks_of_answered, 1);
    hx_close(left); /* it looks on, for nobody */
    there = true;
    hx_expect(hx_get("/look"), 200, "\"hello\"");
}

static void a_drain_ends_looking(void **state) {
    (void)state;
    looks = 0;
    there = false;
    struct hx_conn *c = hx_begin("/look");
    hx_until(looks > 2);
    http_drain(hx, 100);
    hx_expect_error(hx_receive(c, false), 503, "Shutting down");
    http_free(hx);
    hx = NULL;
    hx_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(waits_as_long_as_it_is_told, start, stop),
        cmocka_unit_test_setup_teardown(the_short_do_not_wait_for_the_long, start, stop),
        cmocka_unit_test_setup_teardown(what_waits_is_answered_at_the_end, start, stop),
        cmocka_unit_test_setup_teardown(hangs_up_without_a_word, start, stop),
        cmocka_unit_test_setup_teardown(gives_the_text_of_a_path, start, stop),
        cmocka_unit_test_setup_teardown(a_request_may_look_again, start, stop),
        cmocka_unit_test_setup_teardown(it_looks_again_for_so_long_only, start, stop),
        cmocka_unit_test_setup_teardown(who_has_rivals_is_answered_in_the_end, start, stop),
        cmocka_unit_test_setup_teardown(it_looks_again_also_when_the_clock_is_set_back, start, stop),
        cmocka_unit_test_setup_teardown(nobody_looks_for_who_has_been_answered, start, stop),
        cmocka_unit_test_setup_teardown(a_drain_ends_looking, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
