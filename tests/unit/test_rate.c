/* How many people a second may come in, by what the processes of orders say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "rate.h"

#define SECOND INT64_C(1000000)
enum { LOOK_US = 50000, MOST = 1000 };
static const struct rate_settings settings = {.most = MOST, .p99_ms = 100};
static const double tenth = (double)MOST / RATE_LOW;
static struct rate rate;
static int64_t now_us;

/* Processes of orders on one database: what comes goes into line, what can be borne is placed, and who stands
 * in line waits. */
static struct house {
    double bears, line; /* a second, of all processes; people in line */
    double buy;         /* what part of those who come in */
    int processes;
    double came, placed; /* since they said so last */
} house;

static int set_up(void **state) {
    (void)state;
    rate = (struct rate){0};
    house = (struct house){.bears = MOST, .buy = 1, .processes = 2};
    now_us = 1000 * SECOND;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rate_free(&rate);
    return 0;
}

static struct load_event said(int process, int placed, int64_t p99_us) {
    return (struct load_event){.instance = {.b = {(uint8_t)process}},
                               .period_ms = 1000,
                               .answered = placed,
                               .placed = placed,
                               .has_p99_us = placed > 0,
                               .p99_us = p99_us};
}

static void hear(struct load_event e) {
    rate_hear(&rate, &settings, &e, now_us);
}

static void say(void) {
    int64_t waits_us = 5000 + (int64_t)(house.line / house.bears * 1e6);
    for (int i = 0; i < house.processes; i++) {
        struct load_event e = said(i, (int)house.placed / house.processes, waits_us);
        e.waiting = (int32_t)house.line / house.processes;
        hear(e);
    }
    house.placed = 0;
}

static double pass(double seconds) {
    double longest = 0;
    int looks = (int)(seconds * SECOND / LOOK_US);
    for (int i = 1; i <= looks; i++) {
        now_us += LOOK_US;
        double n = house.buy * rate.people * LOOK_US / SECOND, most = house.bears * LOOK_US / SECOND;
        house.line += n;
        double placed = fmin(house.line, most);
        house.line -= placed;
        house.placed += placed;
        longest = fmax(longest, house.line / house.bears);
        if (i % (SECOND / LOOK_US) == 0) say();
        rate_look(&rate, &settings, true, now_us);
    }
    return longest;
}

static void it_begins_low_and_doubles_while_people_buy(void **state) {
    (void)state;
    rate_look(&rate, &settings, true, now_us);
    assert_true(rate.people == tenth);
    assert_int_equal(rate_limited_by(&rate, &settings), RATE_BY_SILENCE);
    pass(2 * RATE_DOUBLE_S);
    assert_true(rate.people > 2 * tenth && rate.people < 5 * tenth);
    assert_int_equal(rate_limited_by(&rate, &settings), RATE_BY_ORDERS);
    pass(3 * RATE_DOUBLE_S);
    assert_true(rate.people == MOST);
    assert_int_equal(rate_limited_by(&rate, &settings), RATE_BY_SETTING);
    assert_true(rate.fell_us == 0);
}

/* What it becomes within a second when the slowest process has this p99. */
static double grown(int64_t p99_us) {
    rate_free(&rate);
    rate_look(&rate, &settings, true, now_us);
    hear(said(0, MOST, 1000));
    hear(said(1, MOST, p99_us));
    for (int i = 0; i < SECOND / LOOK_US; i++)
        rate_look(&rate, &settings, true, now_us += LOOK_US);
    return rate.people / tenth;
}

static void the_nearer_it_is_to_slow_the_slower_it_grows(void **state) {
    (void)state;
    double quick = grown(1000), half = grown(50000), nearly = grown(99000);
    assert_true(quick > 1.35 && quick < 1.42);
    assert_true(half > 1.15 && half < 1.2);
    assert_true(nearly >= 1 && nearly < 1.01);
}

/* Just below slow it still grows, and at last as fast as where few buy. */
static void nearly_slow_is_not_for_ever(void **state) {
    (void)state;
    grown(99000);
    for (int i = 0; i < 60; i++) {
        hear(said(0, MOST, 99000));
        rate_look(&rate, &settings, true, now_us += SECOND);
    }
    assert_true(rate.people == MOST);
}

static void it_grows_slowly_when_few_buy(void **state) {
    (void)state;
    house.buy = 0.2;
    pass(10);
    assert_true(rate.people > tenth && rate.people < MOST / 2.0);
    pass(30);
    assert_true(rate.people == MOST);
}

/* That many people come in at once shows what the house bears; the line that forms is a short one. */
static void it_finds_out_what_the_house_bears(void **state) {
    (void)state;
    house.bears = 0.65 * MOST;
    assert_true(pass(20) < 0.7);
    assert_true(rate.people > 0.45 * MOST && rate.people < 0.75 * MOST);
}

static void rest(int seconds) {
    for (int i = 0; i < seconds; i++) {
        for (int process = 0; process < house.processes; process++)
            hear(said(process, 0, 0));
        rate_look(&rate, &settings, false, now_us += SECOND);
    }
}

static void after_a_rest_it_is_what_is_known(void **state) {
    (void)state;
    pass(20);
    rest(RATE_REST_S / 2);
    assert_true(rate.people == MOST); /* others may come in a moment */
    rest(RATE_REST_S);
    assert_true(rate.people == tenth);
    pass(20);
    house.bears = MOST / 2.0;
    pass(10);
    house.bears = MOST;
    double borne = rate.borne;
    pass(120);
    assert_true(rate.people > borne);
    rest(2 * RATE_REST_S);
    assert_true(rate.people == borne * 3 / 4);
}

/* It was slow when hardly anybody bought. */
static void after_a_rest_it_finds_out_again(void **state) {
    (void)state;
    pass(3);
    hear(said(0, 1, SECOND));
    hear(said(1, 1, SECOND));
    rate_look(&rate, &settings, true, now_us += LOOK_US);
    assert_true(rate.borne > 0 && rate.borne < tenth);
    rest(2 * RATE_REST_S);
    pass(5 * RATE_DOUBLE_S);
    assert_true(rate.people == MOST);
}

/* A quarter of what it can bear stays unused when it falls. */
static void it_follows_what_the_house_bears(void **state) {
    (void)state;
    pass(40);
    house.bears = MOST / 2.0;
    double longest = pass(4);
    assert_true(rate.people <= 0.375 * MOST + 1 && rate.people >= 0.35 * MOST);
    assert_true(longest < 2.5);
    pass(6);
    assert_true(house.line < 1);
    longest = pass(120); /* it tries whether there is more, and comes back from a little too much at once */
    assert_true(longest < 0.5 && rate.people > 0.3 * MOST && rate.people < 0.65 * MOST);
    house.bears = MOST;
    pass(30);
    assert_true(rate.people > 0.75 * MOST);
}

static void it_falls_by_a_half_at_most_and_once_while_the_line_is_done(void **state) {
    (void)state;
    pass(40);
    hear(said(0, 0, 0)); /* nothing was placed, for whatever reason */
    hear((struct load_event){.instance = {.b = {1}}, .period_ms = 1000, .answered = 5, .refused = 5});
    rate_look(&rate, &settings, true, now_us += LOOK_US);
    assert_true(rate.people == MOST / 2.0);
    hear(said(1, 100, SECOND));
    rate_look(&rate, &settings, true, now_us += SECOND);
    assert_true(rate.people == MOST / 2.0);
    rate_look(&rate, &settings, true, now_us += SECOND);
    hear(said(1, 2 * MOST, SECOND)); /* more than come in: those of before */
    rate_look(&rate, &settings, true, now_us += LOOK_US);
    assert_true(fabs(rate.people - MOST / 2.0 * 3 / 4) < 5);
}

/* It falls far below what is borne while a long line is done, and is back soon afterwards. */
static void a_line_that_gets_shorter_is_waited_for(void **state) {
    (void)state;
    pass(40);
    house.line = 3 * MOST;
    house.bears = MOST / 2.0;
    pass(3);
    double lowest = rate.people;
    for (int i = 0; i < 60 && house.line > MOST / 20.0; i++) {
        pass(1);
        lowest = fmin(lowest, rate.people);
    }
    assert_true(house.line <= MOST / 20.0);
    assert_true(lowest > MOST / 10.0);
    pass(4);
    assert_true(rate.people >= 0.35 * MOST && rate.people < 0.5 * MOST);
}

static struct load_event refusing(void) {
    return (struct load_event){.instance = {.b = {1}}, .period_ms = 1000, .answered = 5, .refused = 5};
}

/* It may be slow for other reasons than people. */
static void slowness_alone_leaves_a_tenth(void **state) {
    (void)state;
    pass(40);
    for (int i = 0; i < 60; i++) {
        hear(said(1, 1, SECOND));
        rate_look(&rate, &settings, true, now_us += SECOND);
    }
    assert_true(rate.people == tenth);
    for (int i = 0; i < 60; i++) {
        hear(refusing());
        rate_look(&rate, &settings, true, now_us += SECOND);
    }
    assert_true(rate.people == 1);
    hear(said(1, 1, SECOND));
    rate_look(&rate, &settings, true, now_us += 3 * SECOND);
    assert_true(rate.people == 1);
    pass(5);
    assert_true(rate.people > 1);
}

static void signs_of_too_much(void **state) {
    (void)state;
    struct load_event few = {.period_ms = 1000, .answered = 500, .placed = 400, .refused = 4};
    struct load_event many = few, stands = {.period_ms = 1000, .waiting = 3}, slow = said(0, 10, 100000);
    many.refused = 5;
    hear(few);
    hear(slow);
    hear(stands);
    assert_false(rate.refuses);
    hear(stands); /* for a second time */
    assert_true(rate.refuses);
    rate.refuses = false;
    hear(many);
    assert_true(rate.refuses);
    rate.refuses = false;
    assert_false(rate.slow);
    slow.p99_us++;
    hear(slow);
    assert_true(rate.slow);
    hear((struct load_event){.period_ms = 0, .refused = 5});
    assert_false(rate.refuses);
}

static void a_process_that_vanishes_takes_its_part_along(void **state) {
    (void)state;
    house.bears = 2 * MOST;
    pass(40);
    house.processes = 1; /* each had half of it */
    for (int i = 0; i < 4 * SECOND / LOOK_US; i++) {
        now_us += LOOK_US;
        if (i % (SECOND / LOOK_US) == 0) hear(said(0, MOST / 2, 5000));
        rate_look(&rate, &settings, true, now_us);
    }
    assert_int_equal(rate.count, 1);
    assert_true(fabs(rate.people - MOST / 2.0) < MOST / 20.0);
}

static void silence_of_all_holds_it_low(void **state) {
    (void)state;
    pass(40);
    for (int i = 0; i < 4 * SECOND / LOOK_US; i++)
        rate_look(&rate, &settings, true, now_us += LOOK_US);
    assert_int_equal(rate.count, 0);
    assert_true(rate.people == tenth);
    assert_int_equal(rate_limited_by(&rate, &settings), RATE_BY_SILENCE);
    for (int i = 0; i < 100 * SECOND / LOOK_US; i++)
        rate_look(&rate, &settings, true, now_us += LOOK_US);
    assert_true(rate.people == tenth);
    pass(40);
    assert_true(rate.people == MOST);
}

static void payments_are_a_limit_of_their_own(void **state) {
    (void)state;
    assert_int_equal(rate_top(&settings), MOST);
    struct rate_settings slow = {.most = MOST, .p99_ms = 100, .payments = 100};
    assert_int_equal(rate_top(&slow), 80);
    for (int i = 0; i < 60; i++) {
        struct load_event e = said(0, 1, 1000);
        rate_hear(&rate, &slow, &e, now_us += SECOND);
        rate_look(&rate, &slow, true, now_us);
    }
    assert_true(rate.people == 80);
    assert_int_equal(rate_limited_by(&rate, &slow), RATE_BY_PAYMENTS);
    slow.payments = 1;
    assert_int_equal(rate_top(&slow), 1);
    slow.payments = 100000;
    assert_int_equal(rate_top(&slow), MOST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_begins_low_and_doubles_while_people_buy),
        TEST(the_nearer_it_is_to_slow_the_slower_it_grows),
        TEST(nearly_slow_is_not_for_ever),
        TEST(it_grows_slowly_when_few_buy),
        TEST(it_finds_out_what_the_house_bears),
        TEST(after_a_rest_it_is_what_is_known),
        TEST(after_a_rest_it_finds_out_again),
        TEST(it_follows_what_the_house_bears),
        TEST(it_falls_by_a_half_at_most_and_once_while_the_line_is_done),
        TEST(a_line_that_gets_shorter_is_waited_for),
        TEST(slowness_alone_leaves_a_tenth),
        TEST(signs_of_too_much),
        TEST(a_process_that_vanishes_takes_its_part_along),
        TEST(silence_of_all_holds_it_low),
        TEST(payments_are_a_limit_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
