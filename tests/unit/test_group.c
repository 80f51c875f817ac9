/* What a member of a group reads, against librdkafka's mock of a cluster. */
#include "group_fixture.h"

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
    start_at(g, 0);
    while (group_last_error(g)[0] == '\0' && clock_mono_us() < deadline_us) {
        /* Once more each time: a request that was on its way from before may take it. */
        rd_kafka_mock_push_request_errors(cluster, FETCH, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
        rd_kafka_message_t *m = group_poll(g, 100, &p);
        if (m != NULL) rd_kafka_message_destroy(m);
    }
    assert_string_not_equal(group_last_error(g), "");
    rd_kafka_mock_clear_request_errors(cluster, FETCH);
    group_hold(g);
    start_at(g, 0);
    read_on(g, PARTITIONS * RECORDS);
    assert_string_equal(group_last_error(g), "");
    group_hold(g);
}

/* One partition waits; the others go on, and it comes back when its pause is over. */
static void one_partition_waits(void **state) {
    (void)state;
    struct group *g = member;
    int count;
    start_at(g, 0);
    struct group_partition *p = group_partitions(g, &count);
    assert_in_range(group_hold_one(g, &p[1]), 500, 1000);
    assert_int_equal(group_state(g), GROUP_HELD);
    start_at(g, 0);
    assert_true(p[1].left_out);
    assert_int_equal(group_waiting(g), 1);
    read_on(g, (PARTITIONS - 1) * RECORDS);
    assert_int_equal(p[1].reached, 0);
    int64_t deadline_us = clock_mono_us() + DEADLINE_MS * INT64_C(1000);
    while (!group_one_due(g) && clock_mono_us() < deadline_us)
        assert_nothing_comes(g);
    group_hold(g);
    start_at(g, 0);
    assert_false(p[1].left_out);
    read_on(g, PARTITIONS * RECORDS);
    backoff_reset(&p[1].alone);
    assert_int_equal(group_waiting(g), 0);
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
    int64_t deadline = clock_mono_us() + DEADLINE_MS * INT64_C(1000);
    for (int told = 0; told < PARTITIONS;) { /* group_commit does not wait */
        assert_true(clock_mono_us() < deadline);
        assert_int_equal(rd_kafka_committed(other, list, DEADLINE_MS), 0);
        told = 0;
        for (int i = 0; i < PARTITIONS; i++)
            told += list->elems[i].offset == RECORDS;
    }
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

/* When the call returns, others see it. */
static void a_commit_that_is_waited_for(void **state) {
    (void)state;
    struct group *g = member;
    struct why w = {0};
    int count;
    rd_kafka_t *other = client(RD_KAFKA_CONSUMER, "g");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    struct group_partition *p = group_partitions(g, &count);
    for (int i = 0; i < count; i++) {
        p[i].next = 60 + p[i].partition;
        rd_kafka_topic_partition_list_add(list, "things", p[i].partition);
    }
    if (group_commit_wait(g, DEADLINE_MS, &w) != ST_OK) fail_msg("%s", w.text);
    assert_int_equal(rd_kafka_committed(other, list, DEADLINE_MS), 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(list->elems[i].offset, 60 + list->elems[i].partition);
    if (group_commit_wait(g, DEADLINE_MS, &w) != ST_OK) fail_msg("%s", w.text); /* nothing to commit */
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(other);
    start_at(g, 40);
    group_hold(g);
}

static bool asleep(pid_t thread) {
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    if (fscanf(f, "%*d %*s %c", &state) != 1) state = '?';
    fclose(f);
    return state == 'S';
}

static pid_t polls; /* the thread that does */

/* So that it wakes a poll under way; were it earlier, it would have to do as well. */
static void *wake(void *arg) {
    while (!asleep(polls))
        sched_yield();
    group_wake(arg);
    return NULL;
}

static void woken(void **state) {
    (void)state;
    struct group *g = member;
    struct group_partition *p;
    pthread_t thread;
    int64_t start = clock_mono_us();
    polls = gettid();
    pthread_create(&thread, NULL, wake, g);
    assert_null(group_poll(g, 60000, &p));
    pthread_join(thread, NULL);
    group_wake(g); /* none under way: the next one */
    assert_null(group_poll(g, 60000, &p));
    assert_true(clock_mono_us() - start < 30000000);
    group_hold(g);
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

static void produce_some(const char *topic, int records) {
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL);
    for (int i = 0; i < records; i++) {
        assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                           RD_KAFKA_V_VALUE("x", 1), RD_KAFKA_V_END),
                         0);
        assert_int_equal(rd_kafka_flush(rk, DEADLINE_MS), 0); /* each a batch of its own */
    }
    rd_kafka_destroy(rk);
}

static void read_some(struct group *g, int records) {
    while (records > 0) {
        struct group_partition *p;
        rd_kafka_message_t *m = group_poll(g, 100, &p);
        if (m == NULL) continue;
        p->reached = m->offset + 1;
        rd_kafka_message_destroy(m);
        records--;
    }
}

static struct group *join_alone(const struct group_options *options) {
    struct why w = {0};
    rd_kafka_mock_topic_create(cluster, options->topics[0], 1, 1);
    struct group *g = group_join(options, &w);
    if (g == NULL) fail_msg("%s", w.text);
    await_partitions(g, 1);
    start_at(g, 0);
    return g;
}

/* With one record fetched ahead librdkafka alone reads one a second. */
static void a_backlog_is_read_without_pauses(void **state) {
    (void)state;
    enum { MANY = 20 };
    static const char *const backlog[] = {"backlog", NULL};
    setenv("RDKAFKA_QUEUED_MIN_MESSAGES", "1", 1);
    struct group *g = join_alone(&(struct group_options){.id = "h", .brokers = brokers, .topics = backlog});
    unsetenv("RDKAFKA_QUEUED_MIN_MESSAGES");
    produce_some(backlog[0], MANY);
    int64_t begin = clock_mono_us();
    read_some(g, MANY);
    assert_in_range(clock_mono_us() - begin, 0, 6000000);
    group_leave(g, DEADLINE_MS);
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A group that gathers has a full queue after each answer, and no lag once it is read. By itself librdkafka
 * would look again after a second, each time; a busy machine is slow now and then. */
static void who_gathers_asks_again(void **state) {
    (void)state;
    enum { MANY = 21 };
    static const char *const trickle[] = {"trickle", NULL};
    struct group *g = join_alone(
        &(struct group_options){.id = "i", .brokers = brokers, .topics = trickle, .gather_ms = 20});
    int64_t took_us[MANY];
    for (int i = 0; i < MANY; i++) {
        produce_some(trickle[0], 1);
        took_us[i] = -clock_mono_us();
        read_some(g, 1);
        took_us[i] += clock_mono_us();
    }
    qsort(took_us, MANY, sizeof *took_us, by_size);
    assert_in_range(took_us[MANY / 2], 0, 500000);
    group_leave(g, DEADLINE_MS);
}

int main(void) {
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(reads_from_where_it_is_told),
        T(held_again_and_again),
        T(a_position_that_is_gone),
        T(errors_of_fetching_pass),
        T(an_error_is_over_when_records_come),
        T(one_partition_waits),
        T(lag_and_positions_for_others),
        T(the_ends_and_what_was_told),
        T(a_commit_that_is_waited_for),
        T(woken),
        T(fixed_properties),
        T(a_backlog_is_read_without_pauses),
        T(who_gathers_asks_again),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
