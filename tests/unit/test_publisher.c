/* The whole publisher in this process, so that the sanitizers see its thread. Its behaviour under fire is in
 * tests/integration/test_publisher.py. */
#include "publisher_test.h"

static void check_header(const rd_kafka_headers_t *headers, const char *name, const char *expected) {
    const void *value;
    size_t n;
    assert_int_equal(rd_kafka_header_get_last(headers, name, &value, &n), RD_KAFKA_RESP_ERR_NO_ERROR);
    if (n != strlen(expected) || memcmp(value, expected, n) != 0)
        fail_msg("%s is %.*s, not %s", name, (int)n, (const char *)value, expected);
}

static void check_record(const rd_kafka_message_t *record) {
    static const uint8_t wire[] = {0, 0, 0, 0, 7};
    struct user_event event;
    rd_kafka_headers_t *headers;
    char key[UUID_TEXT], epoch[32];
    assert_true(record->len > sizeof wire);
    assert_memory_equal(record->payload, wire, sizeof wire);
    assert_int_equal(topic.type->decode((const uint8_t *)record->payload + 5, record->len - 5, &event),
                     ST_OK);
    assert_true(str_eq(event.email, STR("someone@example.com")));
    uuid_format(&event.id, key);
    assert_int_equal(record->key_len, UUID_TEXT);
    assert_memory_equal(record->key, key, UUID_TEXT);
    snprintf(epoch, sizeof epoch, "%lld", test_count(conn, "select epoch from publisher_epoch"));
    assert_int_equal(rd_kafka_message_headers(record, &headers), RD_KAFKA_RESP_ERR_NO_ERROR);
    check_header(headers, "epoch", epoch);
    check_header(headers, "type", "UserCreated");
}

/* Reads the partition that has records, and looks at each. */
static int check_records(void) {
    rd_kafka_t *consumer = reader();
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(consumer, "users", NULL);
    int checked = 0;
    for (int p = 0; p < PARTITIONS; p++) {
        if (end_of(consumer, p) == 0) continue;
        rd_kafka_consume_start(rkt, p, RD_KAFKA_OFFSET_BEGINNING);
        for (bool end = false; !end;) {
            rd_kafka_message_t *record = rd_kafka_consume(rkt, p, PATIENCE_MS);
            assert_non_null(record);
            end = record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            if (!end) check_record(record);
            checked += !end;
            rd_kafka_message_destroy(record);
        }
        rd_kafka_consume_stop(rkt, p);
    }
    rd_kafka_topic_destroy(rkt);
    rd_kafka_destroy(consumer);
    return checked;
}

/* --- */

static void publishes_what_is_committed(void **state) {
    (void)state;
    insert(3); /* before its first start */
    struct publisher *p = start_ready();
    until(slot_active());
    insert(200);
    test_exec(conn, "begin");
    insert(50);
    test_exec(conn, "rollback");
    insert(1);
    publisher_stop(p, STOP_MS);
    assert_false(slot_active());
    assert_int_equal(check_records(), 204);
}

static void goes_on_where_it_stopped(void **state) {
    (void)state;
    for (int i = 1; i <= 3; i++) {
        struct publisher *p = start_ready();
        insert(10);
        publisher_stop(p, STOP_MS);
        assert_int_equal(count_records(), 10 * i);
    }
}

/* Postgres forgets a confirmation when it crashes before its checkpoint; a copy of the slot remembers as
 * little. */
static void skips_what_is_there(void **state) {
    (void)state;
    struct publisher *p = start_ready();
    test_exec(conn, "select pg_copy_logical_replication_slot(slot_name, 'copy_of_' || slot_name)"
                    " from pg_replication_slots where database = current_database()");
    insert(500);
    publisher_stop(p, STOP_MS);
    test_exec(
        conn,
        "select pg_drop_replication_slot('onsale_auth_' || epoch) from publisher_epoch;"
        "select pg_copy_logical_replication_slot('copy_of_onsale_auth_' || epoch, 'onsale_auth_' || epoch)"
        " from publisher_epoch");
    int64_t skipped = metric_value(M_PUBLISH_SKIPPED);
    p = start_ready();
    insert(1);
    publisher_stop(p, STOP_MS);
    assert_int_equal(metric_value(M_PUBLISH_SKIPPED) - skipped, 500);
    assert_int_equal(count_records(), 501);
}

static void a_lost_slot_begins_an_epoch(void **state) {
    (void)state;
    struct publisher *p = start_ready();
    insert(30);
    publisher_stop(p, STOP_MS);
    long long epoch = test_count(conn, "select epoch from publisher_epoch");
    test_exec(conn, "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
                    " where database = current_database()");
    p = start_ready();
    insert(1);
    publisher_stop(p, STOP_MS);
    assert_true(test_count(conn, "select epoch from publisher_epoch where republished") > epoch);
    assert_int_equal(count_records(), 30 + 31);
}

static void one_publishes_and_one_stands_by(void **state) {
    (void)state;
    struct publisher *first = start_ready(), *second = start_ready();
    insert(5);
    publisher_stop(first, STOP_MS);
    insert(5);
    until(count_records() == 10);
    publisher_stop(second, STOP_MS);
}

static void a_broker_that_is_away(void **state) {
    (void)state;
    struct publisher *p = start_ready();
    insert(50); /* each partition gets some */
    until(count_records() == 50);
    rd_kafka_mock_broker_set_down(kafka, 1);
    insert(20);
    until(metric_value(M_PUBLISHER_UNACKED) == 20);
    assert_true(publisher_ready(p, NULL)); /* the service goes on; the events are safe */
    int64_t began = clock_mono_us();
    publisher_stop(p, 300);
    assert_true(clock_mono_us() - began < 3000000);
    rd_kafka_mock_broker_set_up(kafka, 1);
    p = start_ready();
    publisher_stop(p, STOP_MS);
    assert_int_equal(check_records(), 70);
}

/* The versions on the topic of an event's key, in its order. */
static int read_versions(int *versions, int most) {
    rd_kafka_t *consumer = reader();
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(consumer, "users", NULL);
    int n = 0;
    for (int p = 0; p < PARTITIONS; p++) {
        if (end_of(consumer, p) == 0) continue;
        rd_kafka_consume_start(rkt, p, RD_KAFKA_OFFSET_BEGINNING);
        for (bool end = false; !end;) {
            rd_kafka_message_t *record = rd_kafka_consume(rkt, p, PATIENCE_MS);
            struct user_event event;
            end = record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            if (!end) topic.type->decode((const uint8_t *)record->payload + 5, record->len - 5, &event);
            if (!end && n < most) versions[n++] = event.version;
            rd_kafka_message_destroy(record);
        }
        rd_kafka_consume_stop(rkt, p);
    }
    rd_kafka_topic_destroy(rkt);
    rd_kafka_destroy(consumer);
    return n;
}

/* A leader that moves refuses the first request of a new producer, and the next leader takes the second one,
 * which was on its way, as the first. */
static void the_first_request_is_refused(void **state) {
    (void)state;
    enum { VERSIONS = 8, LATENCY_MS = 100 };
    struct publisher *p = start_ready();
    until(slot_active());
    rd_kafka_mock_broker_set_rtt(kafka, 1, LATENCY_MS);
    rd_kafka_mock_push_request_errors(kafka, 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    for (int version = 1; version <= VERSIONS; version++) {
        char text[256];
        snprintf(text, sizeof text,
                 "insert into user_events (type, id, version, email) values"
                 " ('UserCreated', '01900000-0000-7000-8000-000000000001', %d, 'someone@example.com')",
                 version);
        test_exec(conn, text);
        poll(NULL, 0, 5); /* more than linger.ms: a request each */
    }
    publisher_stop(p, STOP_MS);
    rd_kafka_mock_broker_set_rtt(kafka, 1, 0);
    int versions[VERSIONS + 1];
    assert_int_equal(read_versions(versions, VERSIONS + 1), VERSIONS);
    for (int i = 0; i < VERSIONS; i++)
        assert_int_equal(versions[i], i + 1);
}

static void lost_connections(void **state) {
    (void)state;
    struct publisher *p = start_ready();
    for (int i = 0; i < 5; i++) {
        test_exec(conn,
                  i % 2 == 0
                      ? "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots"
                        " where database = current_database() and active"
                      : "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                        " where application_name = 'onsale-publisher' and datname = current_database()");
        insert(10);
        until(count_records() == 10 * (i + 1));
    }
    publisher_stop(p, STOP_MS);
    assert_int_equal(count_records(), 50);
}

static void can_be_stopped_at_any_moment(void **state) {
    (void)state;
    for (int ms = 0; ms < 60; ms += 5) {
        struct publisher *p = start();
        insert(10);
        poll(NULL, 0, ms);
        int64_t began = clock_mono_us();
        publisher_stop(p, STOP_MS);
        assert_true(clock_mono_us() - began < STOP_MS * 1000LL);
    }
    publisher_stop(start_ready(), STOP_MS);
    assert_true(count_records() >= 120);
}

static void says_what_it_waits_for(void **state) {
    (void)state;
    struct why w = {0};
    FAKE_TELL(registry, "HTTP/1.1 503 Away\r\nConnection: close\r\n\r\n");
    struct publisher *p = start();
    until(!publisher_ready(p, &w) && strstr(w.text, "cannot register the schema of users-value") != NULL);
    FAKE_TELL(registry, OK("{\"id\":7,\"compatibilityLevel\":\"BACKWARD\"}"));
    until(publisher_ready(p, &w));
    publisher_stop(p, STOP_MS);
}

static void a_property_that_cannot_be_had(void **state) {
    (void)state;
    struct why w = {0};
    setenv("RDKAFKA_LINGER_MS", "soon", 1);
    struct publisher *p = start_or_not(&w);
    unsetenv("RDKAFKA_LINGER_MS");
    assert_null(p);
    assert_non_null(strstr(w.text, "linger.ms"));
}

#define WITH_ALL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ALL(publishes_what_is_committed),
        WITH_ALL(goes_on_where_it_stopped),
        WITH_ALL(skips_what_is_there),
        WITH_ALL(a_lost_slot_begins_an_epoch),
        WITH_ALL(one_publishes_and_one_stands_by),
        WITH_ALL(a_broker_that_is_away),
        WITH_ALL(the_first_request_is_refused),
        WITH_ALL(lost_connections),
        WITH_ALL(can_be_stopped_at_any_moment),
        WITH_ALL(says_what_it_waits_for),
        WITH_ALL(a_property_that_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
