/* Members that come, go and are expelled, against librdkafka's mock of a cluster. */
#include "group_fixture.h"

/* Taken for dead by the group: out, and in again with everything held. */
static void expelled_and_back(void **state) {
    (void)state;
    struct group *g = member;
    start_at(g, 0);
    read_on(g, 10);
    rd_kafka_mock_push_request_errors(cluster, HEARTBEAT, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    await_state(g, GROUP_OUT);
    int count;
    group_partitions(g, &count);
    assert_int_equal(count, 0);
    await_partitions(g, PARTITIONS);
    start_at(g, 5);
    read_on(g, PARTITIONS * (RECORDS - 5));
    group_hold(g);
}

/* A rebalance while it is held, which is when its database is away: it goes along with it. */
static void rebalanced_while_held(void **state) {
    (void)state;
    struct group *g = member;
    rd_kafka_mock_push_request_errors(cluster, HEARTBEAT, 1, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
    await_state(g, GROUP_OUT);
    await_partitions(g, PARTITIONS);
    start_at(g, 0);
    read_on(g, PARTITIONS * RECORDS);
    group_hold(g);
}

static int departures;

static void depart(void *arg) {
    int count;
    struct group_partition *p = group_partitions(*(struct group **)arg, &count);
    assert_int_equal(count, PARTITIONS);
    for (int i = 0; i < count; i++)
        p[i].next = 77;
    group_commit(*(struct group **)arg);
    departures++;
}

/* A new group: told nothing yet; what is committed on leaving is there for who comes next. */
static void leaving_is_the_last_word(void **state) {
    (void)state;
    struct why w = {0};
    for (int round = 0; round < 2; round++) {
        struct group *g = NULL;
        const struct group_options options = {
            .id = "leavers", .brokers = brokers, .topics = TOPICS, .on_revoke = depart, .arg = &g};
        g = group_join(&options, &w);
        assert_non_null(g);
        await_partitions(g, PARTITIONS);
        if (group_committed(g, &w) != ST_OK) fail_msg("%s", w.text);
        int count;
        struct group_partition *p = group_partitions(g, &count);
        for (int i = 0; i < count; i++)
            assert_int_equal(p[i].next, round == 0 ? -1 : 77);
        group_leave(g, DEADLINE_MS);
        assert_int_equal(departures, round + 1);
    }
}

static void *poll_on(void *arg) {
    struct group *g = arg;
    await_partitions(g, PARTITIONS);
    return NULL;
}

static void leaving_hands_over(void **state) {
    (void)state;
    struct group *first = member;
    struct group *second = join();
    await_state(first, GROUP_OUT); /* it has to give way to the one that comes */
    pthread_t thread;
    pthread_create(&thread, NULL, poll_on, second);
    await_state(first, GROUP_HELD);
    group_leave(first, DEADLINE_MS);
    pthread_join(thread, NULL);
    member = second;
}

static void leaving_is_bounded(void **state) {
    (void)state;
    struct group *g = member;
    start_at(g, 0);
    read_on(g, 10);
    rd_kafka_mock_broker_set_down(cluster, 1);
    int64_t start = clock_mono_us();
    group_leave(g, 1000);
    assert_true(clock_mono_us() - start < 8000000);
    rd_kafka_mock_broker_set_up(cluster, 1);
    member = join();
}

int main(void) {
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(expelled_and_back),  T(rebalanced_while_held), T(leaving_is_the_last_word),
        T(leaving_hands_over), T(leaving_is_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
