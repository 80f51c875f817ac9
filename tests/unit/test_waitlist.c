/* A room in which nothing was left: who is offered what comes back, and how much may be offered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control.h"

#define SECOND INT64_C(1000000)
static const int64_t opens = 2000000 * SECOND, closes = 2100000 * SECOND;
static const struct control_settings settings = {
    .rate = 100, .time_ms = 600000, .offer_ms = 300000, .ahead_ms = 3600000, .between_ms = 250};
static const uint8_t seed[SEED_BYTES] = {1};
static struct phase phase;
static struct room room;

static struct uuid id_of(int n) {
    return (struct uuid){.b = {1, [15] = (uint8_t)n}};
}

static void join(int n, int want) {
    struct uuid id = id_of(n);
    assert_true(room_join(&room, 1, &id, want));
}

/* Who joins after the opening has the place of his number. */
static int set_up(void **state) {
    (void)state;
    uint8_t hash[SEED_BYTES];
    room = (struct room){0};
    phase = (struct phase){.opens_us = opens, .closes_us = closes, .per_user = 4};
    room_hash_seed(seed, hash);
    room_announce(&room, &(struct room_times){1, 1, opens, closes, opens}, hash);
    room_open(&room, 1, seed, opens);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    room_free(&room);
    return 0;
}

static struct control due(int64_t left, int64_t now_us) {
    offers_lapse(&room.offers, now_us);
    if (room.sold_out) waitlist_pass(&room, now_us);
    return control_due(&room, &phase, left, &settings, now_us);
}

static void serve(uint32_t serving, int64_t now_us, int64_t until_us) {
    assert_true(room_serve(&room, 1, serving, now_us, until_us));
}

static void sell_out(int64_t now_us) {
    assert_int_equal(due(0, now_us).kind, CONTROL_SELL_OUT);
    assert_true(room_sell_out(&room, 1, now_us));
    assert_int_equal(due(0, now_us).kind, CONTROL_NOTHING);
}

static bool give(int n, int want, uint32_t offered, int64_t now_us) {
    return room_offer(
        &room, 1, offered,
        &(struct offer){
            .user = id_of(n), .want = want, .at_us = now_us, .until_us = now_us + settings.offer_ms * 1000});
}

/* To whom, one after the other, as whoever leads would; 0 ends the list. */
static void offers_are(int64_t left, int64_t now_us, const int *expected) {
    struct control d = due(left, now_us);
    struct waitlist list = room.list;
    for (; *expected != 0; expected++) {
        assert_int_equal(d.kind, CONTROL_OFFER);
        uint32_t place = waitlist_next(&room, &list, d.places, now_us);
        assert_int_equal(place, *expected);
        int want = waitlist_want(&room, place);
        d.places -= want;
        assert_true(give((int)place, want, room.offers.places + (uint32_t)want, now_us));
    }
    if (d.kind == CONTROL_OFFER) assert_int_equal(waitlist_next(&room, &list, d.places, now_us), 0);
}

static void buys(int n, int size, int64_t now_us) {
    struct uuid id = id_of(n);
    for (int i = 0; i < size; i++)
        assert_true(room_bought(&room, &id, now_us, size));
}

static void nobody_has_a_turn_when_nothing_is_left(void **state) {
    (void)state;
    join(1, 2);
    join(2, 1);
    assert_false(room_sell_out(&room, 2, opens));
    sell_out(opens + SECOND);
    assert_false(room_sell_out(&room, 1, opens + 2 * SECOND));
    assert_false(room_serve(&room, 1, 1, opens + SECOND, closes));
    assert_true(waitlist_has(&room, 1));
    assert_int_equal(waitlist_number(&room, 2), 2);
}

/* It is offered to the first for whom it is enough. */
static void what_comes_back_goes_by_place_and_number(void **state) {
    (void)state;
    static const int wants[] = {2, 2, 1, 8, 0};
    int64_t now_us = opens + SECOND;
    for (int i = 0; i < 5; i++)
        join(i + 1, wants[i]);
    sell_out(now_us);
    now_us += SECOND;
    offers_are(3, now_us, (const int[]){1, 3, 0});
    assert_int_equal(due(3, now_us + SECOND).kind, CONTROL_NOTHING); /* it is offered already */
    now_us += SECOND;
    offers_are(4, now_us, (const int[]){5, 0}); /* who did not say is offered one */
    assert_int_equal(waitlist_number(&room, 2), 1);
    assert_int_equal(waitlist_number(&room, 4), 3); /* by places */
    offers_are(14, now_us + SECOND, (const int[]){2, 4, 0});
    assert_int_equal(room.offers.places, 14);
    assert_int_equal(room.offers.reached, 5);
}

/* As many places as he may still take are owed until he has bought, or his time is over for some seconds. */
static void an_offer_owes_its_places(void **state) {
    (void)state;
    int64_t now_us = opens + SECOND;
    join(1, 3);
    join(2, 1);
    sell_out(now_us);
    now_us += SECOND;
    offers_are(3, now_us, (const int[]){1, 0});
    struct uuid one = id_of(1);
    assert_true(room_bought(&room, &one, now_us + SECOND, 2)); /* one order of the two is known */
    assert_int_equal(room.offers.owed, 1);
    assert_int_equal(due(2, now_us + SECOND).kind, CONTROL_OFFER); /* one of these is not his */
    assert_true(room_bought(&room, &one, now_us + SECOND, 2));
    assert_int_equal(room.offers.owed, 0);
    assert_true(room_bought(&room, &one, now_us + SECOND, 2));
    assert_int_equal(room.offers.owed, 0);
    offers_are(1, now_us + SECOND, (const int[]){2, 0});
    int64_t end_us = now_us + SECOND + settings.offer_ms * 1000;
    join(3, 1);
    assert_int_equal(due(1, end_us + OFFERS_SLACK_US - 1).kind, CONTROL_NOTHING);
    offers_are(1, end_us + OFFERS_SLACK_US, (const int[]){3, 0}); /* not taken, it goes to the next */
    assert_int_equal(room.offers.taken, 1);
    assert_int_equal(room.offers.lapsed, 1);
    buys(2, 1, end_us - 1); /* known only now */
    assert_int_equal(room.offers.taken, 2);
    assert_int_equal(room.offers.lapsed, 0);
    assert_int_equal(room.offers.owed, 1);
}

/* Of two replicas that offer at the same moment, and of records that come again. */
static void nobody_is_offered_anything_twice(void **state) {
    (void)state;
    int64_t now_us = opens + SECOND;
    join(1, 2);
    join(2, 2);
    join(3, 1);
    assert_false(give(1, 2, 2, now_us)); /* something is left */
    sell_out(now_us);
    assert_true(give(1, 2, 2, now_us));
    assert_false(give(1, 2, 2, now_us));
    assert_false(give(1, 2, 4, now_us));
    assert_false(give(2, 2, 2, now_us)); /* by another, who did not know of the first */
    assert_false(give(3, 1, 1, now_us));
    assert_false(give(9, 1, 3, now_us)); /* nobody */
    assert_false(give(2, 9, 11, now_us));
    assert_false(give(2, 0, 2, now_us));
    assert_true(give(2, 2, 4, now_us));
    assert_int_equal(room.offers.owed, 4);
    assert_int_equal(room.offers.count, 2);
}

/* Who came in and said how many may take so many, and others as many as the phase allows. */
static void turns_come_before_the_list(void **state) {
    (void)state;
    int64_t now_us = opens + SECOND, until_us = now_us + 600 * SECOND;
    for (int i = 1; i <= 5; i++)
        join(i, i == 2 ? 0 : 2);
    serve(1, now_us, until_us);
    sell_out(now_us + SECOND);
    assert_int_equal(room_owed(&room, 4, now_us), 2);
    assert_int_equal(due(2, now_us + 2 * SECOND).kind, CONTROL_NOTHING);
    buys(1, 2, now_us + 2 * SECOND);
    assert_int_equal(room_owed(&room, 4, now_us), 0);
    offers_are(3, now_us + 2 * SECOND, (const int[]){2, 3, 0});
}

static void who_did_not_say_owes_the_limit(void **state) {
    (void)state;
    int64_t now_us = opens + SECOND, until_us = now_us + 600 * SECOND;
    for (int i = 1; i <= 4; i++)
        join(i, 0);
    serve(2, now_us, until_us);
    assert_int_equal(room_expected(&room, now_us), 2);
    assert_int_equal(room_owed(&room, 4, now_us), 8);
    buys(1, 3, now_us);
    assert_int_equal(room_expected(&room, now_us), 3); /* as many as the first */
    assert_int_equal(room_owed(&room, 4, now_us), 8);  /* he may come again */
    assert_int_equal(room_fitting(&room, 2, 5), 1);
    sell_out(now_us + SECOND);
    assert_int_equal(due(8, until_us + OFFERS_SLACK_US - 1).kind, CONTROL_NOTHING);
    offers_are(8, until_us + OFFERS_SLACK_US, (const int[]){2, 3, 4, 0});
}

/* They found nothing, though it was their turn. Whose turn was over before has missed it. */
static void whose_turn_it_was_comes_first(void **state) {
    (void)state;
    int64_t now_us = opens + 100 * SECOND, until_us = now_us + 10 * SECOND;
    for (int i = 1; i <= 6; i++)
        join(i, 1);
    serve(2, opens + SECOND, opens + 50 * SECOND);
    serve(5, now_us, until_us);
    buys(4, 1, now_us);
    sell_out(now_us + SECOND);
    assert_false(waitlist_has(&room, 2));
    assert_true(waitlist_has(&room, 3));
    assert_false(waitlist_has(&room, 4));
    offers_are(3, now_us + 2 * SECOND, (const int[]){6, 0}); /* two may still be taken by them */
    offers_are(3, until_us + OFFERS_SLACK_US, (const int[]){3, 5, 0});
}

static void another_number_can_be_said_until_then(void **state) {
    (void)state;
    int64_t now_us = opens + SECOND;
    struct uuid one = id_of(1), two = id_of(2), three = id_of(3);
    join(1, 2);
    join(2, 2);
    join(3, 2);
    serve(1, now_us, closes);
    assert_false(room_want(&room, 1, &one, 1)); /* it is his turn */
    assert_false(room_want(&room, 1, &two, 2));
    assert_false(room_want(&room, 1, &two, 0));
    buys(1, 2, now_us);
    sell_out(now_us);
    assert_int_equal(due(1, now_us + SECOND).kind, CONTROL_NOTHING);
    assert_true(room_want(&room, 1, &three, 1));
    assert_true(room_want(&room, 1, &two, 1));
    offers_are(1, now_us + SECOND, (const int[]){2, 0});
    assert_false(room_want(&room, 1, &two, 3));
}

/* No more come in than what is left is enough for. What is too little for the next is offered to others. */
static void turns_go_by_what_they_want(void **state) {
    (void)state;
    int64_t now_us = opens + SECOND;
    for (int i = 1; i <= 10; i++)
        join(i, 3);
    assert_int_equal(due(20, now_us).serving, 6);
    serve(6, now_us, now_us + 600 * SECOND);
    assert_int_equal(due(20, now_us + SECOND).kind, CONTROL_NOTHING);
    for (int i = 1; i <= 6; i++)
        buys(i, 3, now_us);
    assert_int_equal(due(2, now_us + SECOND).kind, CONTROL_SELL_OUT);
    assert_int_equal(due(3, now_us + SECOND).serving, 7);
}

static void offers_come_at_the_rate(void **state) {
    (void)state;
    int64_t now_us = opens + SECOND;
    for (int i = 1; i <= 200; i++)
        join(i, 1);
    sell_out(now_us);
    assert_int_equal(due(1000, now_us).most, 100);
    assert_true(give(1, 1, 1, now_us));
    assert_int_equal(due(1000, now_us + 200000).kind, CONTROL_NOTHING);
    assert_int_equal(due(1000, now_us + 250000).most, 25);
    assert_int_equal(due(1000, now_us + 250000).until_us, now_us + 250000 + settings.offer_ms * 1000);
    assert_int_equal(due(1000, closes - SECOND).until_us, closes);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_has_a_turn_when_nothing_is_left),
        TEST(what_comes_back_goes_by_place_and_number),
        TEST(an_offer_owes_its_places),
        TEST(nobody_is_offered_anything_twice),
        TEST(turns_come_before_the_list),
        TEST(who_did_not_say_owes_the_limit),
        TEST(whose_turn_it_was_comes_first),
        TEST(another_number_can_be_said_until_then),
        TEST(turns_go_by_what_they_want),
        TEST(offers_come_at_the_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
