/* Counts of demand: what was counted comes once, also while it is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "demand.h"
#include "demand_metrics.h"

enum { SLOTS = 2, MOST = 1000, ASKS = 50000 };
static const int64_t NOON_US = INT64_C(1750000000) * 1000000;

static struct demand *demand;
static struct demand_event said[MOST];
static int count;

static void say(const struct demand_event *e, void *arg) {
    (void)arg;
    assert_true(count < MOST);
    said[count++] = *e;
}

static void collect(int64_t now_us) {
    count = 0;
    demand_collect(demand, now_us, say, NULL);
}

static int setup(void **state) {
    (void)state;
    demand = demand_new("orders", SLOTS);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    demand_free(demand);
    return 0;
}

static const struct demand_key *key(int show, int area, enum demand_client client) {
    static _Thread_local struct demand_key k;
    k = (struct demand_key){.has_area = area > 0, .client = client};
    memcpy(k.show.b + 8, &show, sizeof show);
    memcpy(k.area.b + 8, &area, sizeof area);
    return &k;
}

static void what_was_counted_comes_once(void **state) {
    (void)state;
    demand_ask(demand, 0, key(1, 1, DEMAND_CLIENT_API), DEMAND_PLACED, 3);
    demand_ask(demand, 1, key(1, 1, DEMAND_CLIENT_API), DEMAND_SOLD_OUT, 2);
    demand_add(demand, 1, key(1, 1, DEMAND_CLIENT_API), DEMAND_GAVE_UP_PLACES, 4);
    collect(NOON_US);
    assert_int_equal(count, 1);
    assert_int_equal(said[0].asked, 2);
    assert_int_equal(said[0].asked_places, 5);
    assert_int_equal(said[0].placed, 1);
    assert_int_equal(said[0].placed_places, 3);
    assert_int_equal(said[0].refused_sold_out, 1);
    assert_int_equal(said[0].gave_up_places, 4);
    assert_int_equal(said[0].missed, 0);
    assert_true(str_eq(said[0].service, STR("orders")));
    collect(NOON_US + 1000000);
    assert_int_equal(count, 0);
}

static void each_key_has_a_record(void **state) {
    (void)state;
    demand_add(demand, 0, key(1, 0, DEMAND_CLIENT_PAGE), DEMAND_CAME, 1);
    demand_add(demand, 0, key(1, 0, DEMAND_CLIENT_API), DEMAND_CAME, 2);
    demand_add(demand, 0, key(1, 1, DEMAND_CLIENT_PAGE), DEMAND_CAME, 3);
    demand_add(demand, 0, key(1, 2, DEMAND_CLIENT_PAGE), DEMAND_CAME, 4);
    demand_add(demand, 0, key(2, 1, DEMAND_CLIENT_PAGE), DEMAND_CAME, 5);
    collect(NOON_US);
    assert_int_equal(count, 5);
    int sum = 0;
    for (int i = 0; i < count; i++) {
        sum += said[i].came;
        for (int j = 0; j < i; j++)
            assert_false(uuid_eq(&said[i].id, &said[j].id));
    }
    assert_int_equal(sum, 15);
}

/* The order of the numbers is that of the schema. */
static void numbers_are_those_of_the_schema(void **state) {
    (void)state;
    static const char *const names[DEMAND_NUMBERS] = {"asked",
                                                      "askedPlaces",
                                                      "placed",
                                                      "placedPlaces",
                                                      "repeated",
                                                      "failed",
                                                      "refusedSoldOut",
                                                      "refusedTooFew",
                                                      "refusedNotTogether",
                                                      "refusedTaken",
                                                      "refusedPrice",
                                                      "refusedLimit",
                                                      "refusedNotOpen",
                                                      "refusedOver",
                                                      "refusedNotSold",
                                                      "refusedQueueRequired",
                                                      "refusedAreaRequired",
                                                      "refusedCodeRequired",
                                                      "refusedCodeWrong",
                                                      "refusedCodeUsed",
                                                      "refusedLapsed",
                                                      "refusedCrowded",
                                                      "refusedFewer",
                                                      "refusedOther",
                                                      "gaveUpPlaces",
                                                      "came",
                                                      "joined",
                                                      "admitted",
                                                      "missed"};
    const struct avro_type *type = &demand_event_avro;
    int before = type->nfields - DEMAND_NUMBERS;
    for (int i = 0; i < type->nfields; i++)
        assert_int_equal(type->fields[i].kind == AVRO_INT, i >= before);
    for (int i = 0; i < DEMAND_NUMBERS; i++) {
        int value;
        assert_string_equal(type->fields[before + i].name, names[i]);
        demand_add(demand, 0, key(1, 0, DEMAND_CLIENT_API), (enum demand_number)i, i + 1);
        collect(NOON_US);
        memcpy(&value, (uint8_t *)&said[0] + type->fields[before + i].offset, sizeof value);
        assert_int_equal(value, i + 1);
    }
}

/* By its beginning; none comes twice, also when the clock is set back. */
static void a_second_is_the_one_that_is_over(void **state) {
    static const int64_t now[] = {5002000, 6001000, 6300000, 6400000, 3000000, 9999999};
    static const int64_t seconds[] = {4, 5, 6, 7, 8, 9};
    (void)state;
    for (size_t i = 0; i < sizeof now / sizeof *now; i++) {
        demand_add(demand, 0, key(1, 0, DEMAND_CLIENT_API), DEMAND_CAME, 1);
        collect(NOON_US + now[i]);
        assert_int_equal(said[0].occurred_at, NOON_US + seconds[i] * 1000000);
    }
}

static void what_finds_no_room_is_counted_by_the_metric(void **state) {
    (void)state;
    int64_t before = metric_value(M_DEMAND_UNCOUNTED);
    for (int slot = 0; slot < SLOTS; slot++)
        for (int show = 0; show < DEMAND_KEYS + 10; show++)
            for (int i = 0; i < 2; i++)
                demand_ask(demand, slot, key(slot * MOST + show, 0, DEMAND_CLIENT_API), DEMAND_PLACED, 1);
    assert_int_equal(metric_value(M_DEMAND_UNCOUNTED) - before, SLOTS * 2 * 10);
    collect(NOON_US);
    assert_int_equal(count, SLOTS * DEMAND_KEYS);
    for (int i = 0; i < count; i++)
        assert_int_equal(said[i].placed, 2);
    demand_ask(demand, 0, key(5000, 0, DEMAND_CLIENT_API), DEMAND_PLACED, 1); /* there is room again */
    collect(NOON_US + 1000000);
    assert_int_equal(count, 1);
}

static void *ask_much(void *slot) {
    for (int i = 0; i < ASKS; i++)
        demand_ask(demand, *(int *)slot, key(1, 0, DEMAND_CLIENT_API), DEMAND_PLACED, 1);
    return NULL;
}

static void nothing_is_lost_while_it_is_collected(void **state) {
    (void)state;
    pthread_t threads[SLOTS];
    int slots[SLOTS] = {0, 1}, asked = 0, looks = 0;
    for (int i = 0; i < SLOTS; i++)
        pthread_create(&threads[i], NULL, ask_much, &slots[i]);
    while (asked < ASKS) {
        collect(NOON_US + ++looks * INT64_C(1000000));
        assert_true(count <= 1);
        asked += count == 1 ? said[0].placed : 0;
    }
    for (int i = 0; i < SLOTS; i++)
        pthread_join(threads[i], NULL);
    collect(NOON_US + ++looks * INT64_C(1000000));
    asked += count == 1 ? said[0].placed : 0;
    assert_int_equal(asked, SLOTS * ASKS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_counted_comes_once, setup, teardown),
        cmocka_unit_test_setup_teardown(each_key_has_a_record, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_those_of_the_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_is_the_one_that_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(what_finds_no_room_is_counted_by_the_metric, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_lost_while_it_is_collected, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
