/* A publisher of more than one log, and a log that is added later. */
#include "publisher_test.h"

static void create_second_log(void) {
    test_exec(conn, "create table more_events (like user_events including all)");
    logs[1] = (struct publisher_log){.table = "more_events", .topic = &more};
}

static void each_log_goes_to_its_topic(void **state) {
    (void)state;
    create_second_log();
    insert(3);
    insert_into("more_events", 2); /* before its first start */
    struct publisher *p = start_ready();
    until(slot_active());
    for (int i = 0; i < 20; i++) {
        test_exec(conn, "begin");
        insert(3);
        insert_into("more_events", 2);
        insert(1);
        test_exec(conn, "commit");
    }
    publisher_stop(p, STOP_MS);
    assert_int_equal(count_records_of("users"), 83);
    assert_int_equal(count_records_of("more"), 42);
    long long epoch = test_count(conn, "select epoch from publisher_epoch");
    p = start_ready();
    insert_into("more_events", 1);
    publisher_stop(p, STOP_MS);
    assert_int_equal(count_records_of("users"), 83);
    assert_int_equal(count_records_of("more"), 43);
    assert_int_equal(test_count(conn, "select epoch from publisher_epoch"), epoch);
}

/* A newer version of the service has one more log; its rows may be there before it owns the slot. */
static void a_log_joins_the_epoch(void **state) {
    (void)state;
    struct publisher *p = start_ready();
    insert(30);
    publisher_stop(p, STOP_MS);
    long long epoch = test_count(conn, "select epoch from publisher_epoch");
    create_second_log();
    insert_into("more_events", 5);
    p = start_ready();
    until(slot_active());
    insert_into("more_events", 2);
    insert(1);
    until(count_records_of("users") == 31 && count_records_of("more") == 7);
    publisher_stop(p, STOP_MS);
    assert_int_equal(test_count(conn, "select epoch from publisher_epoch"), epoch);
    assert_int_equal(count_records_of("users"), 31);
    assert_int_equal(count_records_of("more"), 7);
    assert_int_equal(test_count(conn, "select count(*) from more_events where seq <= 7"), 7);
}

static void insert_asked(int n) {
    char text[256];
    snprintf(text, sizeof text,
             "insert into user_events (type, id, version, email, address)"
             " select 'UserCreated', gen_random_uuid(), 1, 'someone@example.com', '203.0.113.77'"
             " from generate_series(1, %d)",
             n);
    test_exec(conn, text);
}

/* A newer version of the service says from where a row was asked for: of such rows two topics are told. */
static void what_was_asked_for_is_told_of_twice(void **state) {
    (void)state;
    publisher_stop(start_ready(), STOP_MS);
    insert(3); /* before there are addresses */
    test_exec(conn, "alter table user_events add column address text");
    audit = &more;
    struct publisher *p = start_ready();
    until(slot_active());
    for (int i = 0; i < 20; i++) {
        test_exec(conn, "begin");
        insert(2);
        insert_asked(3);
        insert(1);
        test_exec(conn, "commit");
    }
    publisher_stop(p, STOP_MS);
    assert_int_equal(count_records_of("users"), 123);
    assert_int_equal(count_records_of("more"), 60);
    p = start_ready();
    insert_asked(1);
    publisher_stop(p, STOP_MS);
    assert_int_equal(count_records_of("users"), 124);
    assert_int_equal(count_records_of("more"), 61);
}

/* The slot is lost: both are told of the whole log again. */
static void audits_are_published_again(void **state) {
    (void)state;
    test_exec(conn, "alter table user_events add column address text");
    audit = &more;
    insert(5);
    insert_asked(7);
    publisher_stop(start_ready(), STOP_MS);
    test_exec(conn, "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
                    " where database = current_database()");
    publisher_stop(start_ready(), STOP_MS);
    assert_int_equal(count_records_of("users"), 24);
    assert_int_equal(count_records_of("more"), 14);
}

/* A writer of the new log that is under way when it joins is waited for. */
static void a_log_joins_while_it_is_written(void **state) {
    (void)state;
    publisher_stop(start_ready(), STOP_MS);
    create_second_log();
    insert_into("more_events", 5);
    test_exec(conn, "begin");
    insert_into("more_events", 1);
    PGconn *other = test_connect(url);
    struct publisher *p = start_ready();
    until(test_count(other, "select count(*) from pg_locks where relation = 'more_events'::regclass"
                            " and mode = 'ShareRowExclusiveLock' and not granted") == 1);
    PQfinish(other);
    insert_into("more_events", 1);
    test_exec(conn, "commit");
    insert_into("more_events", 1);
    until(count_records_of("more") == 8);
    publisher_stop(p, STOP_MS);
    assert_int_equal(count_records_of("more"), 8);
}

/* By hand: rows went by that no slot shows. */
static void a_log_that_was_taken_out_begins_an_epoch(void **state) {
    (void)state;
    create_second_log();
    struct publisher *p = start_ready();
    until(slot_active());
    insert_into("more_events", 3);
    publisher_stop(p, STOP_MS);
    long long epoch = test_count(conn, "select epoch from publisher_epoch");
    test_exec(conn, "alter publication onsale_events drop table more_events");
    insert_into("more_events", 1);
    p = start();
    /* In this order: the epoch before is published, too. */
    until(test_count(conn, "select epoch from publisher_epoch") > epoch &&
          test_count(conn, "select count(*) from publisher_epoch where republished") == 1);
    publisher_stop(p, STOP_MS);
    assert_int_equal(count_records_of("more"), 3 + 4);
}

/* An older version that has the slot still, or again. It may not pass over rows that it does not know. */
static void an_older_version_leaves_unknown_rows(void **state) {
    (void)state;
    struct why w = {0};
    create_second_log();
    publisher_stop(start_ready(), STOP_MS);
    logs[1] = (struct publisher_log){0};
    struct publisher *p = start_ready();
    until(slot_active());
    insert(1);
    until(count_records() == 1);
    insert_into("more_events", 2);
    insert(1);
    until(!publisher_ready(p, &w) && strstr(w.text, "rows of more_events") != NULL);
    publisher_stop(p, STOP_MS);
    logs[1] = (struct publisher_log){.table = "more_events", .topic = &more};
    p = start_ready();
    until(count_records_of("users") == 2 && count_records_of("more") == 2);
    publisher_stop(p, STOP_MS);
    assert_int_equal(count_records_of("users"), 2);
    assert_int_equal(count_records_of("more"), 2);
}

/* With its own logs alone; the others join that epoch, too. */
static void an_older_version_begins_an_epoch(void **state) {
    (void)state;
    create_second_log();
    struct publisher *p = start_ready();
    until(slot_active());
    insert(2);
    insert_into("more_events", 2);
    publisher_stop(p, STOP_MS);
    test_exec(conn, "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
                    " where database = current_database()");
    logs[1] = (struct publisher_log){0};
    p = start_ready();
    until(count_records() == 2 + 2);
    insert_into("more_events", 1);
    insert(1);
    publisher_stop(p, STOP_MS);
    logs[1] = (struct publisher_log){.table = "more_events", .topic = &more};
    long long epoch = test_count(conn, "select epoch from publisher_epoch");
    p = start_ready();
    until(slot_active());
    until(count_records_of("more") == 2 + 3);
    publisher_stop(p, STOP_MS);
    assert_int_equal(test_count(conn, "select epoch from publisher_epoch"), epoch);
    assert_int_equal(count_records_of("users"), 2 + 3);
    assert_int_equal(count_records_of("more"), 2 + 3);
}

#define WITH_ALL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ALL(each_log_goes_to_its_topic),           WITH_ALL(a_log_joins_the_epoch),
        WITH_ALL(what_was_asked_for_is_told_of_twice),  WITH_ALL(audits_are_published_again),
        WITH_ALL(a_log_joins_while_it_is_written),      WITH_ALL(a_log_that_was_taken_out_begins_an_epoch),
        WITH_ALL(an_older_version_leaves_unknown_rows), WITH_ALL(an_older_version_begins_an_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
