/* What a process says once a second: to librdkafka's own broker, with the id that a registry gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdatomic.h>

#include "clock.h"
#include "events.h"
#include "fake_http.h"
#include "kafka.h"
#include "teller.h"
#include "teller_metrics.h"

#include <librdkafka/rdkafka_mock.h> /* after rdkafka.h */

enum { STOP_MS = 5000, PATIENCE_MS = 30000, PRODUCE = 0 };

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body
static const char fails[] = ANSWER("500 Internal Server Error", "{}");
static const char registered[] = ANSWER("200 OK", "{\"id\":7,\"compatibilityLevel\":\"BACKWARD\"}");

static struct fake_http *registry;
static char registry_url[64];
static rd_kafka_t *rk;
static rd_kafka_mock_cluster_t *kafka;
static _Atomic int told;
static const struct uuid show = {{1, 2, 3}};

static void tell(struct teller *t, void *state) {
    assert_ptr_equal(state, &told);
    int n = atomic_fetch_add(&told, 1);
    teller_send(t, &(struct demand_event){
                       .type = DEMAND_COUNTED, .show_id = show, .service = STR("orders"), .asked = n});
}

static const struct tell tells[] = {{&topic_demand, tell}, {0}};

static int setup(void **state) {
    (void)state;
    registry = fake_start();
    FAKE_TELL(registry, registered);
    snprintf(registry_url, sizeof registry_url, "http://127.0.0.1:%d", registry->port);
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
    kafka = rd_kafka_mock_cluster_new(rk, 1);
    rd_kafka_mock_topic_create(kafka, "demand", topic_demand.partitions, 1);
    told = 0;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fake_stop(registry);
    rd_kafka_mock_cluster_destroy(kafka);
    rd_kafka_destroy(rk);
    return 0;
}

static struct teller *start(void) {
    struct why w;
    struct teller *t =
        teller_start(&(struct teller_options){.brokers = rd_kafka_mock_cluster_bootstraps(kafka),
                                              .registry_url = registry_url,
                                              .tells = tells,
                                              .state = &told},
                     &w);
    if (t == NULL) fail_msg("%s", w.text);
    return t;
}

static void await_told(int n) {
    int64_t limit_us = clock_mono_us() + PATIENCE_MS * INT64_C(1000);
    while (atomic_load(&told) < n) {
        if (clock_mono_us() > limit_us) fail_msg("only %d were told", atomic_load(&told));
        poll(NULL, 0, 5);
    }
}

/* The records there are, in the one partition of the key; each is looked at. */
static int count_records(void) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(kafka), NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(topic_demand.partitions);
    int64_t n = 0;
    for (int i = 0; i < topic_demand.partitions; i++) {
        int64_t low, high;
        assert_int_equal(rd_kafka_query_watermark_offsets(consumer, "demand", i, &low, &high, PATIENCE_MS),
                         0);
        rd_kafka_topic_partition_list_add(all, "demand", i)->offset = 0;
        n += high;
    }
    rd_kafka_assign(consumer, all);
    rd_kafka_topic_partition_list_destroy(all);
    for (int i = 0; i < n; i++) {
        struct demand_event e;
        char key[UUID_TEXT];
        uuid_format(&show, key);
        rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer, PATIENCE_MS);
        assert_non_null(m);
        assert_int_equal(m->err, 0);
        assert_int_equal(m->key_len, UUID_TEXT);
        assert_memory_equal(m->key, key, UUID_TEXT);
        assert_memory_equal(m->payload, "\0\0\0\0\7", 5);
        assert_int_equal(demand_event_avro.decode((uint8_t *)m->payload + 5, m->len - 5, &e), ST_OK);
        assert_int_equal(e.asked, i);
        rd_kafka_message_destroy(m);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return (int)n;
}

static void it_says_at_once_and_then_every_second(void **state) {
    (void)state;
    struct teller *t = start();
    await_told(3);
    teller_stop(t, STOP_MS);
    assert_true(atomic_load(&told) >= 4); /* and once more at the end */
    assert_int_equal(count_records(), atomic_load(&told));
}

static void nothing_is_said_before_the_registry_answers(void **state) {
    (void)state;
    FAKE_TELL(registry, fails, fails, fails, registered);
    struct teller *t = start();
    await_told(1);
    assert_true(fake_asked(registry) > 3);
    teller_stop(t, STOP_MS);
    FAKE_TELL(registry, fails);
    atomic_store(&told, 0);
    teller_stop(start(), STOP_MS);
    assert_int_equal(atomic_load(&told), 0);
}

static void records_wait_for_kafka(void **state) {
    (void)state;
    struct teller *t = start();
    await_told(1);
    rd_kafka_mock_broker_set_down(kafka, 1);
    await_told(3);
    rd_kafka_mock_broker_set_up(kafka, 1);
    await_told(4);
    teller_stop(t, STOP_MS);
    assert_int_equal(count_records(), atomic_load(&told));
}

static void it_does_not_wait_for_kafka_at_its_end(void **state) {
    (void)state;
    struct teller *t = start();
    await_told(1);
    rd_kafka_mock_broker_set_down(kafka, 1);
    await_told(2);
    teller_stop(t, 50);
    rd_kafka_mock_broker_set_up(kafka, 1);
}

static void a_wrong_property_is_refused(void **state) {
    (void)state;
    struct why w;
    setenv("RDKAFKA_LINGER_MS", "soon", 1);
    assert_null(teller_start(
        &(struct teller_options){.brokers = "127.0.0.1:1", .registry_url = "", .tells = tells}, &w));
    unsetenv("RDKAFKA_LINGER_MS");
    assert_non_null(strstr(w.text, "linger.ms"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_says_at_once_and_then_every_second, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_said_before_the_registry_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(records_wait_for_kafka, setup, teardown),
        cmocka_unit_test_setup_teardown(it_does_not_wait_for_kafka_at_its_end, setup, teardown),
        cmocka_unit_test(a_wrong_property_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
