/* What the tests of group share: a mock of a cluster with a topic, and a member that has all its partitions.
 */
#pragma once

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

static inline rd_kafka_t *client(rd_kafka_type_t type, const char *group) {
    const struct kafka_property properties[] = {
        {group == NULL ? "linger.ms" : "group.id", group == NULL ? "0" : group, false}, {0}};
    struct why w;
    rd_kafka_t *rk =
        kafka_client(type, kafka_conf(brokers == NULL ? "127.0.0.1:1" : brokers, properties, &w), &w);
    if (rk == NULL) fail_msg("%s", w.text);
    return rk;
}

/* Each partition gets RECORDS records, whose value is their offset. */
static inline void produce(rd_kafka_t *rk) {
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

static inline struct group *join(void) {
    const struct group_options options = {.id = "g", .brokers = brokers, .topics = TOPICS};
    struct why w = {0};
    struct group *g = group_join(&options, &w);
    if (g == NULL) fail_msg("%s", w.text);
    return g;
}

/* Polls until the state is this. */
static inline void await_state(struct group *g, enum group_state wanted) {
    int64_t deadline = clock_mono_us() + DEADLINE_MS * INT64_C(1000);
    struct group_partition *p;
    while (group_state(g) != wanted) {
        if (clock_mono_us() > deadline)
            fail_msg("waited in vain for state %d; %s", wanted, group_last_error(g));
        rd_kafka_message_t *m = group_poll(g, 100, &p);
        if (m != NULL) rd_kafka_message_destroy(m);
    }
}

static inline void await_partitions(struct group *g, int wanted) {
    int count = -1;
    int64_t deadline = clock_mono_us() + DEADLINE_MS * INT64_C(1000);
    while (await_state(g, GROUP_HELD), group_partitions(g, &count), count != wanted) {
        if (clock_mono_us() > deadline)
            fail_msg("waited in vain for %d partitions, there are %d", wanted, count);
        await_state(g, GROUP_OUT);
    }
}

static inline int setup(void **state) {
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

static inline int teardown(void **state) {
    (void)state;
    group_leave(member, DEADLINE_MS);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(producer);
    return 0;
}

static inline void start_at(struct group *g, int64_t next) {
    int count;
    struct group_partition *p = group_partitions(g, &count);
    for (int i = 0; i < count; i++)
        p[i].next = next;
    group_fetch(g);
}

/* Takes so many records; each must be the next one of its partition. */
static inline void read_on(struct group *g, int records) {
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

static inline void assert_nothing_comes(struct group *g) {
    struct group_partition *p;
    for (int i = 0; i < 5; i++)
        assert_null(group_poll(g, 50, &p));
}
