/* A room: which records count, and that they make the same room in whatever way they are repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "buyers.h"
#include "clock.h"
#include "room.h"

enum { OPENS = 1000000, CLOSES = 9000000 };
static const uint8_t seed[SEED_BYTES] = {1, 2, 3}, other_seed[SEED_BYTES] = {9};
static uint8_t hash[SEED_BYTES], other_hash[SEED_BYTES];
static struct room room;
static int32_t version = 1; /* of the show */
static int64_t now_us;      /* when records are written */

static int set_up(void **state) {
    (void)state;
    room = (struct room){0};
    version = 1;
    now_us = OPENS;
    room_hash_seed(seed, hash);
    room_hash_seed(other_seed, other_hash);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    room_free(&room);
    return 0;
}

static struct uuid id_of(int n) {
    return (struct uuid){.b = {1, [15] = (uint8_t)n}};
}

static bool announced(int round, const uint8_t seed_hash[SEED_BYTES], int64_t opens_us, int64_t closes_us) {
    return room_announce(&room, &(struct room_times){round, version, opens_us, closes_us, now_us}, seed_hash);
}

static bool join(int n) {
    struct uuid id = id_of(n);
    return room_join(&room, room.round, &id, 0);
}

static uint32_t place_of(int n) {
    struct uuid id = id_of(n);
    uint32_t place;
    return places_find(room.places, &id, &place) ? place : UINT32_MAX;
}

static void announce(void) {
    assert_true(announced(1, hash, OPENS, CLOSES));
}

/* python3: ids = [bytes([1] + 14 * [0] + [n]) for n in range(6)]; seed = bytes([1, 2, 3] + 29 * [0])
 * draw = hmac.digest(seed, hashlib.sha256(b"".join(ids[1:4])).digest(), "sha256")
 * hashlib.sha256(draw + ids[5]).hexdigest()[:16] */
static void a_rank_is_as_documented(void **state) {
    (void)state;
    struct uuid id = id_of(5);
    uint8_t draw[SEED_BYTES];
    announce();
    for (int i = 1; i <= 3; i++)
        join(i);
    room_draw(seed, &room.joins, draw);
    assert_true(room_rank(draw, &id) == UINT64_C(0xaab50b3d3a273f7f));
}

static void nobody_joins_before_it_is_announced(void **state) {
    (void)state;
    assert_false(join(1));
    announce();
    assert_true(join(1));
    assert_false(join(1));
    assert_int_equal(room_people(&room), 1);
}

static void its_times_may_change_but_not_its_seed(void **state) {
    (void)state;
    announce();
    assert_false(announced(1, other_hash, OPENS, CLOSES));
    assert_true(join(1));
    assert_true(announced(1, hash, OPENS + 1, CLOSES + 1));
    assert_int_equal(room.opens_us, OPENS + 1);
    assert_int_equal(room_people(&room), 1);
    assert_false(room_open(&room, 1, other_seed, OPENS + 1));
    assert_false(room_open(&room, 1, seed, OPENS)); /* not yet */
    assert_true(room_open(&room, 1, seed, OPENS + 1));
    assert_false(announced(1, hash, OPENS, CLOSES));
    assert_true(announced(1, hash, OPENS + 1, CLOSES)); /* an open phase may close at another time */
    assert_int_equal(room.closes_us, CLOSES);
    version = 0;
    assert_false(announced(1, hash, OPENS + 1, CLOSES + 1)); /* by an older version of the show */
}

static void open_with(int people) {
    announce();
    for (int i = 1; i <= people; i++)
        join(i);
    assert_true(room_open(&room, 1, seed, OPENS));
}

static void places_follow_from_the_seed_and_the_log(void **state) {
    (void)state;
    uint8_t draw[SEED_BYTES];
    open_with(50);
    room_draw(seed, &room.joins, draw);
    for (int i = 1; i <= 50; i++) {
        struct uuid one = id_of(i);
        uint32_t before = 0;
        for (int k = 1; k <= 50; k++) {
            struct uuid two = id_of(k);
            before += room_rank(draw, &two) < room_rank(draw, &one);
        }
        assert_int_equal(place_of(i), before + 1);
    }
    assert_true(join(51));
    assert_int_equal(place_of(51), 51);
}

static int how_many_have_another_place(const uint32_t places[50]) {
    int other = 0;
    for (int i = 0; i < 50; i++)
        other += place_of(i) != places[i];
    return other;
}

/* The same log makes the same places, also where the key of the seed is not known; one more who joins makes
 * all of them others. */
static void whoever_joins_last_draws_anew(void **state) {
    (void)state;
    uint32_t places[50];
    for (int round = 0; round < 3; round++) {
        room_free(&room);
        room = (struct room){0};
        announce();
        assert_false(room_know_seed(&room, other_seed));
        if (round > 0) assert_true(room_know_seed(&room, seed));
        for (int i = 0; i < 50; i++)
            join(i);
        if (round == 2) join(99);
        assert_true(room_open(&room, 1, seed, OPENS));
        if (round == 1) assert_int_equal(how_many_have_another_place(places), 0);
        if (round == 2) assert_true(how_many_have_another_place(places) > 25);
        for (int i = 0; i < 50; i++)
            places[i] = place_of(i);
    }
}

static void serving_never_falls(void **state) {
    (void)state;
    announce();
    join(1);
    assert_false(room_serve(&room, 1, 1, OPENS, CLOSES)); /* not open */
    for (int i = 2; i <= 10; i++)
        join(i);
    assert_true(room_open(&room, 1, seed, OPENS));
    assert_true(room_serve(&room, 1, 3, 2 * OPENS, 100));
    assert_false(room_serve(&room, 1, 3, 3 * OPENS, 200)); /* again, by another replica */
    assert_false(room_serve(&room, 1, 2, 3 * OPENS, 200));
    assert_false(room_serve(&room, 1, 11, 3 * OPENS, 200)); /* nobody is there */
    assert_false(room_serve(&room, 2, 5, 3 * OPENS, 200));
    assert_true(room_serve(&room, 1, 7, 3 * OPENS, 200));
    assert_int_equal(room_serving(&room), 7);
    assert_int_equal(room_served_us(&room), 3 * OPENS);
    assert_int_equal(room_turn_of(&room, 1)->until_us, 100);
    assert_int_equal(room_turn_of(&room, 3)->until_us, 100);
    assert_int_equal(room_turn_of(&room, 4)->until_us, 200);
    assert_int_equal(room_turn_of(&room, 7)->until_us, 200);
    assert_null(room_turn_of(&room, 8));
}

/* With a turn a second, each for ten. */
static void ended_turns_take_no_memory(void **state) {
    (void)state;
    static const int64_t second_us = 1000000;
    open_with(0);
    for (uint32_t n = 1; n <= 20000; n++) {
        struct uuid id = {.b = {2}};
        memcpy(id.b + 8, &n, sizeof n);
        assert_true(room_join(&room, 1, &id, 0));
        int64_t at_us = OPENS + n * second_us;
        assert_true(room_serve(&room, 1, n, at_us, at_us + 10 * second_us));
        assert_true(room_turn_of(&room, n)->until_us == at_us + 10 * second_us);
        assert_int_equal(room_buying(&room, at_us), n < 10 ? n : 10);
        if (n > 20) assert_true(room_turn_of(&room, n - 20)->until_us < at_us);
        if (n > 1000) assert_true(room_bytes(&room) <= (size_t)PLACES_BYTES * n);
    }
    assert_true(room.turns_room <= 256);
    assert_int_equal(room_serving(&room), 20000);
}

static void counts_who_may_still_buy(void **state) {
    (void)state;
    open_with(10);
    room_serve(&room, 1, 3, OPENS, 100);
    room_serve(&room, 1, 7, OPENS, 200);
    assert_int_equal(room_buying(&room, 50), 7);
    assert_int_equal(room_buying(&room, 150), 4);
    assert_int_equal(room_buying(&room, 250), 0);
    for (int i = 1; i <= 10; i++) {
        struct uuid id = id_of(i);
        bool served = place_of(i) <= 7 && place_of(i) > 3;
        uint32_t before = room_buying(&room, 150);
        room_bought(&room, &id, OPENS - 1, 1); /* before his turn, in another phase */
        assert_int_equal(room_buying(&room, 150), before);
        assert_int_equal(room_bought(&room, &id, 2 * OPENS, 1), place_of(i) <= 7);
        room_bought(&room, &id, 2 * OPENS, 1);
        assert_int_equal(room_buying(&room, 150), before - served);
    }
    struct uuid nobody = id_of(99);
    assert_false(room_bought(&room, &nobody, 2 * OPENS, 1));
}

static bool settle_in_room(void *arg, const struct buyer *buyer) {
    (void)arg;
    return room_bought(&room, &buyer->user, buyer->at_us, buyer->size);
}

/* As after a start, when `orders` was read before `waiting`. */
static void an_order_may_be_read_before_the_turn(void **state) {
    (void)state;
    struct buyers buyers = {0};
    for (int i = 1; i <= 100; i++)
        buyers_add(&buyers,
                   &(struct buyer){.user = id_of(i), .at_us = 2 * OPENS, .read_us = clock_mono_us()});
    buyers_add(&buyers, &(struct buyer){.user = id_of(101), .at_us = 2 * OPENS}); /* long ago */
    buyers_settle(&buyers, settle_in_room, NULL);
    assert_int_equal(buyers.count, 100);
    open_with(10);
    room_serve(&room, 1, 7, OPENS, 200);
    buyers_settle(&buyers, settle_in_room, NULL);
    assert_int_equal(room_buying(&room, 150), 0);
    assert_int_equal(buyers.count, 93);
    room_serve(&room, 1, 10, OPENS, 200);
    buyers_settle(&buyers, settle_in_room, NULL);
    assert_int_equal(room_buying(&room, 150), 0);
    assert_int_equal(buyers.count, 90);
    buyers_free(&buyers);
}

static void another_round_begins_when_one_is_closed(void **state) {
    (void)state;
    open_with(3);
    room_serve(&room, 1, 2, OPENS, 100);
    assert_false(announced(2, other_hash, OPENS, CLOSES));
    assert_false(room_close(&room, 2, version, CLOSES));
    assert_false(room_close(&room, 1, version, CLOSES - 1));
    assert_true(room_close(&room, 1, version, CLOSES));
    assert_false(room_close(&room, 1, version, CLOSES));
    assert_false(join(4));
    assert_false(announced(1, hash, OPENS, CLOSES));
    assert_true(announced(2, other_hash, 2 * OPENS, CLOSES));
    assert_false(room_serve(&room, 1, 3, OPENS, 100)); /* late, of the round before */
    assert_int_equal(room_people(&room) + room_serving(&room), 0);
    assert_true(join(1));
    assert_int_equal(place_of(1), 0);
    assert_true(room_open(&room, 2, other_seed, 2 * OPENS));
    assert_int_equal(place_of(1), 1);
}

/* Its phase was taken away by mistake, or a replica that did not know better closed it. */
static void a_closed_round_may_go_on(void **state) {
    (void)state;
    open_with(10);
    room_serve(&room, 1, 4, OPENS, CLOSES);
    uint32_t place = place_of(7);
    assert_true(room_close(&room, 1, 2, OPENS + 1));
    assert_false(room_is_there(&room));
    assert_false(join(11));
    version = 2;
    assert_false(announced(1, hash, OPENS, CLOSES)); /* by what it was closed by */
    version = 3;
    assert_false(announced(1, other_hash, OPENS, CLOSES));
    assert_false(announced(1, hash, OPENS + 1, CLOSES)); /* of those who come in, nobody is drawn again */
    now_us = OPENS + 1 + ROOM_KEPT_US;
    assert_false(announced(1, hash, OPENS, CLOSES)); /* too late */
    now_us--;
    assert_true(announced(1, hash, OPENS, CLOSES));
    assert_int_equal(place_of(7), place);
    assert_int_equal(room_serving(&room), 4);
    assert_true(join(11));
    assert_int_equal(place_of(11), 11);
}

static void a_closed_round_is_forgotten(void **state) {
    (void)state;
    open_with(10);
    room_forget(&room, INT64_MAX);
    assert_int_equal(room_people(&room), 10);
    assert_true(room_close(&room, 1, 1, CLOSES));
    room_forget(&room, CLOSES + ROOM_KEPT_US);
    assert_int_equal(room_people(&room), 10);
    room_forget(&room, CLOSES + 3 * ROOM_KEPT_US);
    assert_int_equal(room_people(&room), 0);
    version = 2;
    now_us = CLOSES;
    assert_false(announced(1, hash, OPENS, CLOSES));
    assert_true(announced(2, other_hash, OPENS, CLOSES));
}

/* What came before is not on the topic any more. */
static void a_log_may_begin_with_any_round(void **state) {
    (void)state;
    assert_true(announced(7, hash, OPENS, CLOSES));
    assert_true(room_close(&room, 7, version + 1, OPENS - 1)); /* its show is cancelled */
    assert_false(announced(7, hash, OPENS, CLOSES));
    assert_true(announced(9, other_hash, OPENS, CLOSES));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rank_is_as_documented, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_joins_before_it_is_announced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_times_may_change_but_not_its_seed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places_follow_from_the_seed_and_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_joins_last_draws_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(serving_never_falls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ended_turns_take_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_who_may_still_buy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_order_may_be_read_before_the_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_round_begins_when_one_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_round_may_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_round_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_log_may_begin_with_any_round, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
