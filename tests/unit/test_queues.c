/* Queues: what records of the topics make of them, by our clock and keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "hex.h"
#include "queues.h"

static const struct uuid show = {.b = {1}}, nonce = {.b = {2}}, writer = {.b = {3}};
static int number; /* of the round that records are of */
static const int64_t hour_us = INT64_C(3600) * 1000000;
static struct queues queues;
static struct admission_keys *keys;
static char seed_hex[2 * SEED_BYTES], hash_hex[2 * SEED_BYTES];

static struct uuid user(int n) {
    return (struct uuid){.b = {9, [15] = (uint8_t)n}};
}

static int set_up(void **state) {
    (void)state;
    char path[] = "/tmp/test-queues-XXXXXX";
    struct why w = {0};
    number = 1;
    uint8_t seed[SEED_BYTES], hash[SEED_BYTES];
    int fd = mkstemp(path);
    for (int i = 0; i < 32; i++)
        assert_int_equal(write(fd, "a5", 2), 2);
    close(fd);
    keys = admission_keys_open(path, &w);
    unlink(path);
    assert_non_null(keys);
    queues = (struct queues){.keys = keys};
    queues_seed(&queues, 0, &show, &nonce, seed);
    room_hash_seed(seed, hash);
    hex_encode(seed, sizeof seed, seed_hex);
    hex_encode(hash, sizeof hash, hash_hex);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    queues_free(&queues);
    admission_keys_free(keys);
    return 0;
}

static struct waiting_event event(enum waiting_event_type type, int64_t at_us) {
    return (struct waiting_event){.type = type,
                                  .show_id = show,
                                  .round = number,
                                  .occurred_at = at_us,
                                  .has_writer = true,
                                  .writer = writer};
}

static void announce(int64_t opens_us) {
    struct waiting_event e = event(QUEUE_ANNOUNCED, opens_us);
    e.has_nonce = e.has_opens_at = e.has_closes_at = e.has_seed_hash = e.has_show_version = true;
    e.nonce = nonce;
    e.opens_at = opens_us;
    e.closes_at = opens_us + 100 * hour_us;
    e.seed_hash = (struct str){hash_hex, sizeof hash_hex};
    queues_event(&queues, 0, &e);
}

static void join(int n, int64_t at_us) {
    struct waiting_event e = event(QUEUE_JOINED, at_us);
    e.has_user_id = true;
    e.user_id = user(n);
    queues_event(&queues, 0, &e);
}

static void open_queue(int64_t at_us) {
    struct waiting_event e = event(QUEUE_OPENED, at_us);
    e.has_seed = true;
    e.seed = (struct str){seed_hex, sizeof seed_hex};
    queues_event(&queues, 0, &e);
}

static void serve(int32_t serving, int64_t at_us) {
    struct waiting_event e = event(QUEUE_SERVING, at_us);
    e.has_serving = e.has_until = true;
    e.serving = serving;
    e.until = at_us + hour_us;
    queues_event(&queues, 0, &e);
}

static struct room *room(void) {
    return &queues_find(&queues, &show)->now.room;
}

static void a_key_of_ours_makes_the_seed(void **state) {
    (void)state;
    int64_t now_us = clock_wall_us();
    announce(now_us);
    assert_true(room()->seed_known);
    join(1, now_us);
    open_queue(now_us);
    assert_true(room()->open);
}

/* Which would hold up whoever writes after him until his time has come. */
static void a_clock_that_is_ahead_counts_as_ours(void **state) {
    (void)state;
    int64_t now_us = clock_wall_us();
    announce(now_us - hour_us);
    for (int i = 1; i <= 3; i++)
        join(i, now_us);
    open_queue(now_us + hour_us);
    assert_true(room()->opened_us <= clock_wall_us());
    serve(2, now_us + 2 * hour_us);
    assert_int_equal(room_serving(room()), 2);
    assert_true(room_served_us(room()) <= clock_wall_us());
}

static void order(int n, enum order_event_type type, int64_t at_us) {
    queues_bought(
        &queues,
        &(struct order_event){
            .type = type, .has_show_id = true, .show_id = show, .user_id = user(n), .occurred_at = at_us});
}

static void an_order_counts_whatever_is_read_first(void **state) {
    (void)state;
    int64_t now_us = clock_wall_us();
    order(1, ORDER_CREATED, now_us);
    announce(now_us - hour_us);
    join(1, now_us - hour_us);
    join(2, now_us - hour_us);
    open_queue(now_us - hour_us);
    serve(2, now_us - 1000000);
    assert_int_equal(room_buying(room(), now_us), 2);
    queues_settle(&queues);
    assert_int_equal(room_buying(room(), now_us), 1);
    order(2, ORDER_CREATED, now_us - 2000000); /* before his turn */
    order(2, ORDER_COMPLETED, now_us);
    queues_settle(&queues);
    assert_int_equal(room_buying(room(), now_us), 1);
    assert_int_equal(queues.buyers.count, 0);
}

static void what_closed_long_ago_by_the_log_takes_no_memory(void **state) {
    (void)state;
    struct waiting_event closed = event(QUEUE_CLOSED, hour_us * 200);
    announce(0);
    join(1, 0);
    open_queue(hour_us);
    queues_event(&queues, 0, &closed);
    assert_int_equal(room_people(room()), 1);
    closed.show_id.b[1] = 7; /* one that nobody knows */
    closed.occurred_at += 10 * hour_us;
    queues_event(&queues, 1, &closed); /* another partition may be ahead */
    queues_event(&queues, 0, &closed); /* void */
    assert_int_equal(room_people(room()), 1);
    struct waiting_event begun = event(QUEUE_ANNOUNCED, closed.occurred_at);
    begun.show_id = closed.show_id;
    begun.has_nonce = begun.has_opens_at = begun.has_closes_at = begun.has_seed_hash = true;
    begun.seed_hash = (struct str){hash_hex, sizeof hash_hex};
    queues_event(&queues, 0, &begun);
    queues_event(&queues, 0, &closed);
    assert_int_equal(room_people(room()), 0);
}

/* Who joins the next phase's queue while this one is open is drawn as well. */
static void the_next_round_is_joined_while_this_one_is_open(void **state) {
    (void)state;
    int64_t now_us = clock_wall_us() - hour_us;
    announce(now_us);
    struct queue *q = queues_find(&queues, &show);
    number = 2;
    announce(now_us + 100 * hour_us); /* nothing is open yet */
    assert_null(queues_round(q, 2));
    number = 1;
    join(1, now_us);
    open_queue(now_us);
    number = 2;
    join(2, now_us);
    assert_null(queues_round(q, 2));
    announce(now_us + 100 * hour_us);
    assert_non_null(queues_round(q, 2));
    join(1, now_us);
    join(3, now_us);
    open_queue(now_us + 100 * hour_us); /* not while the other is there */
    assert_int_equal(room_people(room()), 1);
    assert_int_equal(room_people(&queues_round(q, 2)->room), 2);
    assert_false(q->next.room.open);
    struct waiting_event closed = event(QUEUE_CLOSED, now_us + 100 * hour_us);
    closed.round = 1;
    queues_event(&queues, 0, &closed);
    assert_int_equal(room()->round, 2);
    assert_int_equal(room_people(room()), 2);
    assert_null(queues_round(q, 1));
    assert_int_equal(queues_newest(q), 2);
    open_queue(now_us + 100 * hour_us);
    assert_true(room()->open);
}

static void a_show_says_how_many_places_it_has(void **state) {
    (void)state;
    struct show_event e = {.id = show, .version = 1, .status = SHOW_STATUS_ANNOUNCED};
    queues_show(&queues, &e);
    assert_int_equal(queues_find(&queues, &show)->places, 0);
    e.version = 2;
    e.has_places = true;
    e.places = 300;
    queues_show(&queues, &e);
    assert_int_equal(queues_find(&queues, &show)->places, 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_of_ours_makes_the_seed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_is_ahead_counts_as_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_order_counts_whatever_is_read_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_round_is_joined_while_this_one_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_show_says_how_many_places_it_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_closed_long_ago_by_the_log_takes_no_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
