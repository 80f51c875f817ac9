/* Properties from the environment: they win over ours, but for the fixed ones, by whatever name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

static const struct kafka_property properties[] = {
    {"enable.idempotence", "true", true},
    {"acks", "all", true},
    {"linger.ms", "1", false},
    {0},
};

static void assert_property(const rd_kafka_conf_t *conf, const char *name, const char *expected) {
    char value[256];
    size_t size = sizeof value;
    assert_int_equal(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, expected);
}

static rd_kafka_conf_t *conf_with(const char *variable, const char *value, struct why *w) {
    if (variable != NULL) setenv(variable, value, 1);
    w->text[0] = 0;
    rd_kafka_conf_t *conf = kafka_conf("127.0.0.1:1", properties, w);
    if (variable != NULL) unsetenv(variable);
    return conf;
}

static void ours_are_set(void **state) {
    (void)state;
    struct why w;
    rd_kafka_conf_t *conf = conf_with(NULL, NULL, &w);
    assert_non_null(conf);
    assert_property(conf, "bootstrap.servers", "127.0.0.1:1");
    assert_property(conf, "enable.idempotence", "true");
    assert_property(conf, "linger.ms", "1");
    assert_property(conf, "socket.nagle.disable", "true");
    rd_kafka_conf_destroy(conf);
}

static void environment_wins(void **state) {
    (void)state;
    struct why w;
    rd_kafka_conf_t *conf = conf_with("RDKAFKA_LINGER_MS", "7", &w);
    assert_non_null(conf);
    assert_property(conf, "linger.ms", "7");
    rd_kafka_conf_destroy(conf);
    conf = conf_with("RDKAFKA_SECURITY_PROTOCOL", "sasl_ssl", &w);
    assert_non_null(conf);
    assert_property(conf, "security.protocol", "sasl_ssl");
    rd_kafka_conf_destroy(conf);
}

static void fixed_ones_stay(void **state) {
    (void)state;
    struct why w;
    assert_null(conf_with("RDKAFKA_ENABLE_IDEMPOTENCE", "false", &w));
    assert_non_null(strstr(w.text, "enable.idempotence must stay true"));
    assert_null(conf_with("RDKAFKA_REQUEST_REQUIRED_ACKS", "1", &w)); /* another name of acks */
    assert_non_null(strstr(w.text, "acks"));
    rd_kafka_conf_t *same = conf_with("RDKAFKA_ACKS", "all", &w);
    assert_non_null(same);
    rd_kafka_conf_destroy(same);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    struct why w;
    assert_null(conf_with("RDKAFKA_NO_SUCH_THING", "1", &w));
    assert_non_null(strstr(w.text, "no.such.thing"));
    assert_null(conf_with("RDKAFKA_LINGER_MS", "soon", &w));
    assert_non_null(strstr(w.text, "linger.ms"));
    char name[300];
    memset(name, 'A', sizeof name - 1);
    name[sizeof name - 1] = 0;
    memcpy(name, "RDKAFKA_", 8);
    assert_null(conf_with(name, "1", &w));
}

static void clients_are_made_or_refused(void **state) {
    (void)state;
    struct why w;
    rd_kafka_t *rk = kafka_client(RD_KAFKA_PRODUCER, conf_with(NULL, NULL, &w), &w);
    assert_non_null(rk);
    rd_kafka_destroy(rk);
    /* max.in.flight beyond 5 contradicts idempotence: librdkafka says so only here. */
    assert_null(kafka_client(RD_KAFKA_PRODUCER, conf_with("RDKAFKA_MAX_IN_FLIGHT", "100", &w), &w));
    assert_non_null(strstr(w.text, "max.in.flight"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_are_set),
        cmocka_unit_test(environment_wins),
        cmocka_unit_test(fixed_ones_stay),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(clients_are_made_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
