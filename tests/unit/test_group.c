/* Membership of a group, against librdkafka's mock of a cluster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "group.h"

#include <librdkafka/rdkafka_mock.h> /* behind rdkafka.h */

enum { PARTITIONS = 3, RECORDS = 500, DEADLINE_MS = 20000 };
enum { FETCH = 1, HEARTBEAT = 12, LEAVE_GROUP = 13 }; /* of Kafka's protocol */

static const char *const TOPICS[] = {"things", NULL};
static rd_kafka_t *producer;
static rd_kafka_mock_cluster_t *cluster;
static const char *brokers;
static struct group *member; /* has all partitions, held; joining takes the mock 3 s */

static rd_kafka_t *client(rd_kafka_type_t type, const char *group) {
    const struct kafka_property properties[] = {
        {group == NULL ? "linger.ms" : "group.id", group == NULL ? "0" : group, false}, {0}};
    struct why w;
    rd_kafka_t *rk =
        kafka_client(type, kafka_conf(brokers == NULL ? "127.0.0.1:1" : brokers, properties, &w), &w);
    if (rk == NULL) fail_msg("%s", w.text);
    return rk;
}

/* Each partition gets RECORDS records, whose value is their offset. */
static void produce(rd_kafka_t *rk) {
    for (int i = 0; i < PARTITIONS * RECORDS; i++) {
        char value[16];
        int n = snprintf(value, sizeof value, "%d", i / PARTITIONS);
        rd_kafka_resp_err_t err = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC("things"), RD_KAFKA_V_PARTITION(i % PARTITIONS),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, (size_t)n), RD_KAFKA_V_END);
        assert_int_equal(err, 0);
    }
    assert_int_equal(rd_kafka_flush(rk, DEADLINE_MS), 0);
}

static struct group *join(void) {
    const struct group_options options = {.id = "g", .brokers = brokers, .topics = TOPICS};
    struct why w = {0};
    struct group *g = group_join(&options, &w);
    if (g == NULL) fail_msg("%s", w.text);
    return g;
}

/* Polls until the state is this. */
static void await_state(struct group *g, enum group_state wanted) {
    int64_t deadline = clock_mono_us() + DEADLINE_MS * INT64_C(1000);
    struct group_partition *p;
    while (group_state(g) != wanted) {
        if (clock_mono_us() > deadline)
            fail_msg("waited in vain for state %d; %s", wanted, group_last_error(g));
        rd_kafka_message_t *m = group_poll(g, 100, &p);
        if (m != NULL) rd_kafka_message_destroy(m);
    }
}

static void await_partitions(struct group *g, int wanted) {
    int count = -1;
    int64_t deadline = clock_mono_us() + DEADLINE_MS * INT64_C(1000);
    while (await_state(g, GROUP_HELD), group_partitions(g, &count), count != wanted) {
        if (clock_mono_us() > deadline)
            fail_msg("waited in vain for %d partitions, there are %d", wanted, count);
        await_state(g, GROUP_OUT);
    }
}

static int setup(void **state) {
    (void)state;
    brokers = NULL;
    rd_kafka_t *owner = client(RD_KAFKA_PRODUCER, NULL);
    cluster = rd_kafka_mock_cluster_new(owner, 1);
    brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    rd_kafka_mock_topic_create(cluster, "things", PARTITIONS, 1);
    producer = owner;
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL);
    produce(rk);
    rd_kafka_destroy(rk);
    setenv("RDKAFKA_HEARTBEAT_INTERVAL_MS", "100", 1); /* trouble is heard of at once */
    setenv("RDKAFKA_FETCH_WAIT_MAX_MS", "10", 1);
    member = join();
    await_partitions(member, PARTITIONS);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    group_leave(member, DEADLINE_MS);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(producer);
    return 0;
}

static void start_at(struct group *g, int64_t next) {
    int count;
    struct group_partition *p = group_partitions(g, &count);
    for (int i = 0; i < count; i++)
        p[i].next = next;
    group_fetch(g);
}

/* Takes so many records; each must be the next one of its partition. */
static void read_on(struct group *g, int records) {
    int64_t deadline = clock_mono_us() + DEADLINE_MS * INT64_C(1000);
    while (records > 0) {
        struct group_partition *p;
        rd_kafka_message_t *m = group_poll(g, 100, &p);
        if (clock_mono_us() > deadline)
            fail_msg("waited in vain for %d records; %s", records, group_last_error(g));
        if (m == NULL) continue;
        assert_int_equal(m->offset, p->reached);
        assert_int_equal(atoi(m->payload), m->offset);
        assert_int_equal(m->partition, p->partition);
        p->reached = m->offset + 1;
        rd_kafka_message_destroy(m);
        records--;
    }
}

static void assert_nothing_comes(struct group *g) {
    struct group_partition *p;
    for (int i = 0; i < 5; i++)
        assert_null(group_poll(g, 50, &p));
}

static void reads_from_where_it_is_told(void **state) {
    (void)state;
    struct group *g = member;
    assert_nothing_comes(g);
    start_at(g, 120);
    assert_int_equal(group_state(g), GROUP_FETCHING);
    read_on(g, PARTITIONS * (RECORDS - 120));
    assert_nothing_comes(g);
    group_hold(g);
}

/* However often it is held and let go, anywhere: no record is left out, doubled, or of an earlier time. */
static void held_again_and_again(void **state) {
    (void)state;
    struct group *g = member;
    for (int i = 0; i < 30; i++) {
        start_at(g, i * 37 % (RECORDS - 20));
        read_on(g, i * 13 % 40);
        group_hold(g);
        if (i % 10 == 0) assert_nothing_comes(g);
    }
    assert_int_equal(group_state(g), GROUP_HELD);
    group_hold(g);
}

static void a_position_that_is_gone(void **state) {
    (void)state;
    struct group *g = member;
    struct why w = {0};
    int count;
    int64_t earliest = -1;
    struct group_partition *p = group_partitions(g, &count);
    p[0].next = p[2].next = RECORDS;
    p[1].next = RECORDS + 1000;
    group_fetch(g);
    await_state(g, GROUP_HELD);
    assert_true(p[1].gone);
    assert_false(p[0].gone || p[2].gone);
    if (group_earliest(g, &p[1], &earliest, &w) != ST_OK) fail_msg("%s", w.text);
    assert_int_equal(earliest, 0);
    p[1].gone = false;
    p[1].next = earliest;
    group_fetch(g);
    read_on(g, RECORDS);
    group_hold(g);
}

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

static void errors_of_fetching_pass(void **state) {
    (void)state;
    struct group *g = member;
    rd_kafka_mock_push_request_errors(cluster, FETCH, 3, RD_KAFKA_RESP_ERR__TRANSPORT,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    start_at(g, 0);
    read_on(g, PARTITIONS * RECORDS);
    group_hold(g);
}

/* So that the same error an hour later is logged again. */
static void an_error_is_over_when_records_come(void **state) {
    (void)state;
    struct group *g = member;
    struct group_partition *p;
    int64_t deadline_us = clock_mono_us() + DEADLINE_MS * INT64_C(1000);
    rd_kafka_mock_push_request_errors(cluster, FETCH, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    start_at(g, 0);
    while (group_last_error(g)[0] == '\0' && clock_mono_us() < deadline_us)
        assert_null(group_poll(g, 100, &p));
    assert_string_not_equal(group_last_error(g), "");
    read_on(g, PARTITIONS * RECORDS);
    assert_string_equal(group_last_error(g), "");
    group_hold(g);
}

static void lag_and_positions_for_others(void **state) {
    (void)state;
    struct group *g = member;
    start_at(g, 100);
    read_on(g, PARTITIONS * (RECORDS - 100) - 7);
    assert_int_equal(group_lag(g), 7);
    read_on(g, 7);
    assert_int_equal(group_lag(g), 0);
    int count;
    struct group_partition *p = group_partitions(g, &count);
    for (int i = 0; i < count; i++)
        p[i].next = p[i].reached;
    group_commit(g);
    group_hold(g);

    rd_kafka_t *other = client(RD_KAFKA_CONSUMER, "g");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(list, "things", i);
    assert_int_equal(rd_kafka_committed(other, list, DEADLINE_MS), 0);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(list->elems[i].offset, RECORDS);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(other);
}

static void the_ends_and_what_was_told(void **state) {
    (void)state;
    struct group *g = member;
    struct why w = {0};
    int count;
    int64_t ends[PARTITIONS];
    if (group_ends(g, ends, &w) != ST_OK) fail_msg("%s", w.text);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(ends[i], RECORDS);
    struct group_partition *p = group_partitions(g, &count);
    for (int i = 0; i < count; i++)
        p[i].next = 40 + p[i].partition;
    group_commit(g);
    for (int i = 0; i < count; i++)
        p[i].next = 0;
    if (group_committed(g, &w) != ST_OK) fail_msg("%s", w.text);
    for (int i = 0; i < count; i++)
        assert_int_equal(p[i].next, 40 + p[i].partition);
    start_at(g, 40);
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

static void *wake(void *arg) {
    usleep(50000); /* so that it wakes a poll under way; were it earlier, it would have to do as well */
    group_wake(arg);
    return NULL;
}

static void woken(void **state) {
    (void)state;
    struct group *g = member;
    struct group_partition *p;
    pthread_t thread;
    int64_t start = clock_mono_us();
    pthread_create(&thread, NULL, wake, g);
    assert_null(group_poll(g, 60000, &p));
    pthread_join(thread, NULL);
    group_wake(g); /* none under way: the next one */
    assert_null(group_poll(g, 60000, &p));
    assert_true(clock_mono_us() - start < 30000000);
    group_hold(g);
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

/* What correctness rests on cannot be set otherwise from outside. */
static void fixed_properties(void **state) {
    (void)state;
    static const char *const settings[][2] = {
        {"RDKAFKA_ENABLE_AUTO_COMMIT", "true"},
        {"RDKAFKA_ENABLE_AUTO_OFFSET_STORE", "true"},
        {"RDKAFKA_AUTO_OFFSET_RESET", "latest"},
        {"RDKAFKA_PARTITION_ASSIGNMENT_STRATEGY", "cooperative-sticky"},
        {"RDKAFKA_GROUP_ID", "other"},
        {"RDKAFKA_ENABLE_PARTITION_EOF", "true"},
    };
    const struct group_options options = {.id = "g", .brokers = brokers, .topics = TOPICS};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct why w = {0};
        setenv(settings[i][0], settings[i][1], 1);
        assert_null(group_join(&options, &w));
        assert_non_null(strstr(w.text, "must stay"));
        unsetenv(settings[i][0]);
    }
}

/* With one record fetched ahead librdkafka alone reads one a second. */
static void a_backlog_is_read_without_pauses(void **state) {
    (void)state;
    enum { MANY = 20 };
    static const char *const backlog[] = {"backlog", NULL};
    rd_kafka_mock_topic_create(cluster, backlog[0], 1, 1);
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(backlog[0]), RD_KAFKA_V_PARTITION(0),
                                           RD_KAFKA_V_VALUE("x", 1), RD_KAFKA_V_END),
                         0);
        assert_int_equal(rd_kafka_flush(rk, DEADLINE_MS), 0); /* each a batch of its own */
    }
    rd_kafka_destroy(rk);
    setenv("RDKAFKA_QUEUED_MIN_MESSAGES", "1", 1);
    const struct group_options options = {.id = "h", .brokers = brokers, .topics = backlog};
    struct why w = {0};
    struct group *g = group_join(&options, &w);
    unsetenv("RDKAFKA_QUEUED_MIN_MESSAGES");
    await_partitions(g, 1);
    start_at(g, 0);
    int64_t begin = clock_mono_us();
    for (int i = 0; i < MANY;) {
        struct group_partition *p;
        rd_kafka_message_t *m = group_poll(g, 100, &p);
        if (m == NULL) continue;
        p->reached = m->offset + 1;
        rd_kafka_message_destroy(m);
        i++;
    }
    assert_in_range(clock_mono_us() - begin, 0, 6000000);
    group_leave(g, DEADLINE_MS);
}

int main(void) {
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(reads_from_where_it_is_told),
        T(held_again_and_again),
        T(a_position_that_is_gone),
        T(expelled_and_back),
        T(rebalanced_while_held),
        T(errors_of_fetching_pass),
        T(an_error_is_over_when_records_come),
        T(lag_and_positions_for_others),
        T(the_ends_and_what_was_told),
        T(leaving_is_the_last_word),
        T(woken),
        T(leaving_hands_over),
        T(leaving_is_bounded),
        T(a_backlog_is_read_without_pauses),
        T(fixed_properties),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
