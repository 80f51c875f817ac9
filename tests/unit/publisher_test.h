/* For tests of the whole publisher: a real Postgres, librdkafka's own broker, and a registry that says yes.
 */
#pragma once

#include "pg_test.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>

#include "clock.h"
#include "events.h"
#include "fake_http.h"
#include "priv/publisher_metrics.h"
#include "publisher.h"

#include <librdkafka/rdkafka_mock.h> /* after rdkafka.h */

enum { PATIENCE_MS = 30000, STOP_MS = 5000, PARTITIONS = 3 };

#define OK(body) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body

static char url[256], registry_url[64];
static PGconn *conn;
static struct fake_http *registry;
static rd_kafka_t *rk;
static rd_kafka_mock_cluster_t *kafka;

static const char TABLES[] =
    "create table publisher_epoch (only_row boolean primary key default true, epoch bigint not null,"
    " republished boolean not null, since timestamptz not null default now(), timeline text not null);"
    "insert into publisher_epoch (epoch, republished, timeline) values (0, true, '');"
    "create table user_events (seq bigint generated always as identity primary key, type text not null, id uuid not null,"
    " version int not null, occurred_at timestamptz not null default now(), email text not null, traceparent text,"
    " session_version int not null default 1, session_id uuid)";

static struct topic topic, more; /* more: of the second log, or of audits */
static const struct topic *audit;
static struct publisher_log logs[3];

static inline int setup(void **state) {
    (void)state;
    test_create_database("publisher", url, sizeof url);
    conn = test_connect(url);
    test_exec(conn, TABLES);
    for (const struct migrate_file *f = publisher_schema.functions; f->name != NULL; f++)
        test_exec(conn, f->text);
    registry = fake_start();
    FAKE_TELL(registry, OK("{\"id\":7,\"compatibilityLevel\":\"BACKWARD\"}"));
    snprintf(registry_url, sizeof registry_url, "http://127.0.0.1:%d", registry->port);
    topic = topic_users;
    topic.partitions = PARTITIONS;
    more = topic;
    more.name = "more";
    logs[0] = (struct publisher_log){.table = "user_events", .topic = &topic};
    logs[1] = (struct publisher_log){0};
    audit = NULL;
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
    kafka = rd_kafka_mock_cluster_new(rk, 1);
    rd_kafka_mock_topic_create(kafka, "users", PARTITIONS, 1);
    rd_kafka_mock_topic_create(kafka, "more", PARTITIONS, 1);
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    test_exec(conn, "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
                    " where database = current_database()");
    PQfinish(conn);
    fake_stop(registry);
    rd_kafka_mock_cluster_destroy(kafka);
    rd_kafka_destroy(rk);
    return 0;
}

static inline struct publisher *start_or_not(struct why *w) {
    const struct publisher_options options = {
        .service = "auth",
        .database_url = url,
        .brokers = rd_kafka_mock_cluster_bootstraps(kafka),
        .registry_url = registry_url,
        .logs = logs,
        .audit = audit,
        .watermark_ms = 1000,
    };
    return publisher_start(&options, w);
}

static inline struct publisher *start(void) {
    struct why w;
    struct publisher *p = start_or_not(&w);
    if (p == NULL) fail_msg("%s", w.text);
    return p;
}

#define until(condition)                                                                                     \
    do {                                                                                                     \
        int64_t limit = clock_mono_us() + PATIENCE_MS * 1000LL;                                              \
        while (!(condition)) {                                                                               \
            if (clock_mono_us() > limit) fail_msg("waited in vain for %s", #condition);                      \
            poll(NULL, 0, 5);                                                                                \
        }                                                                                                    \
    } while (0)

static inline struct publisher *start_ready(void) {
    struct publisher *p = start();
    until(publisher_ready(p, NULL));
    return p;
}

static inline void insert_into(const char *table, int n) {
    char text[256];
    snprintf(text, sizeof text,
             "insert into %s (type, id, version, email)"
             " select 'UserCreated', gen_random_uuid(), 1, 'someone@example.com' from generate_series(1, %d)",
             table, n);
    test_exec(conn, text);
}

static inline void insert(int n) {
    insert_into("user_events", n);
}

static inline bool slot_active(void) {
    return test_count(
               conn,
               "select count(*) from pg_replication_slots where database = current_database() and active") >
           0;
}

/* --- what is on the topic --- */

static inline rd_kafka_t *reader(void) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(kafka), NULL, 0);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "20", NULL, 0);
    rd_kafka_conf_set(conf, "fetch.error.backoff.ms", "10", NULL, 0);
    return rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
}

static inline int64_t end_of_topic(rd_kafka_t *consumer, const char *name, int partition) {
    int64_t low, high;
    until(rd_kafka_query_watermark_offsets(consumer, name, partition, &low, &high, 1000) ==
          RD_KAFKA_RESP_ERR_NO_ERROR);
    return high;
}

static inline int64_t end_of(rd_kafka_t *consumer, int partition) {
    return end_of_topic(consumer, "users", partition);
}

static inline int count_records_of(const char *name) {
    rd_kafka_t *consumer = reader();
    int64_t n = 0;
    for (int p = 0; p < PARTITIONS; p++)
        n += end_of_topic(consumer, name, p);
    rd_kafka_destroy(consumer);
    return (int)n;
}

static inline int count_records(void) {
    return count_records_of("users");
}
