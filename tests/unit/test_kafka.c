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
    {"enable.idempotence", "true", KAFKA_FIXED},
    {"acks", "all", KAFKA_FIXED},
    {"linger.ms", "1", KAFKA_DEFAULT},
    {"message.send.max.retries", "9", KAFKA_KEPT},
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

static void assert_property_with(const char *variable, const char *says, const char *name,
                                 const char *expected) {
    struct why w;
    rd_kafka_conf_t *conf = conf_with(variable, says, &w);
    assert_non_null(conf);
    assert_property(conf, name, expected);
    rd_kafka_conf_destroy(conf);
}

static void environment_wins(void **state) {
    (void)state;
    assert_property_with("RDKAFKA_LINGER_MS", "7", "linger.ms", "7");
    assert_property_with("RDKAFKA_SECURITY_PROTOCOL", "sasl_ssl", "security.protocol", "sasl_ssl");
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

static void kept_ones_are_not_for_the_environment(void **state) {
    (void)state;
    assert_property_with("RDKAFKA_RETRIES", "7", "message.send.max.retries", "9");
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

/* What the environment says of who we are, as a process reads it at its start; the last item of vars is NULL.
 */
static rd_kafka_conf_t *conf_of(const char *const vars[][2], struct why *w) {
    const struct config_var *const tables[] = {kafka_settings};
    for (int i = 0; vars[i][0] != NULL; i++)
        setenv(vars[i][0], vars[i][1], 1);
    w->text[0] = 0;
    assert_int_equal(config_load(tables, 1, w), ST_OK);
    rd_kafka_conf_t *conf = kafka_conf("127.0.0.1:1", properties, w);
    for (int i = 0; vars[i][0] != NULL; i++)
        unsetenv(vars[i][0]);
    assert_int_equal(config_load(tables, 1, NULL), ST_OK); /* nobody again */
    return conf;
}

static void a_user_logs_in_by_scram(void **state) {
    (void)state;
    struct why w;
    rd_kafka_conf_t *conf = conf_of(
        (const char *const[][2]){{"KAFKA_USER", "orders"}, {"KAFKA_PASSWORD", "correct horse"}, {NULL, NULL}},
        &w);
    assert_non_null(conf);
    assert_property(conf, "security.protocol", "sasl_plaintext");
    assert_property(conf, "sasl.mechanism", "SCRAM-SHA-512");
    assert_property(conf, "sasl.username", "orders");
    assert_property(conf, "sasl.password", "correct horse");
    rd_kafka_conf_destroy(conf);
}

static void tls_is_with_a_user_or_without(void **state) {
    (void)state;
    struct why w;
    rd_kafka_conf_t *conf =
        conf_of((const char *const[][2]){{"KAFKA_TLS", "true"}, {"KAFKA_CA", "/ca.pem"}, {NULL, NULL}}, &w);
    assert_non_null(conf);
    assert_property(conf, "security.protocol", "ssl");
    assert_property(conf, "ssl.ca.location", "/ca.pem");
    assert_property(conf, "ssl.endpoint.identification.algorithm", "https"); /* the broker's name counts */
    rd_kafka_conf_destroy(conf);
    conf = conf_of((const char *const[][2]){{"KAFKA_TLS", "true"},
                                            {"KAFKA_USER", "orders"},
                                            {"KAFKA_PASSWORD", "correct horse"},
                                            {"RDKAFKA_SASL_MECHANISM", "SCRAM-SHA-256"}, /* wins, as ever */
                                            {NULL, NULL}},
                   &w);
    assert_non_null(conf);
    assert_property(conf, "security.protocol", "sasl_ssl");
    assert_property(conf, "sasl.mechanism", "SCRAM-SHA-256");
    rd_kafka_conf_destroy(conf);
}

static void half_a_login_is_refused(void **state) {
    (void)state;
    struct why w;
    assert_null(conf_of((const char *const[][2]){{"KAFKA_USER", "orders"}, {NULL, NULL}}, &w));
    assert_non_null(strstr(w.text, "give both or neither"));
    assert_null(conf_of((const char *const[][2]){{"KAFKA_PASSWORD", "correct horse"}, {NULL, NULL}}, &w));
    assert_non_null(strstr(w.text, "give both or neither"));
    assert_null(strstr(w.text, "correct horse"));
    assert_null(conf_of((const char *const[][2]){{"KAFKA_CA", "/ca.pem"}, {NULL, NULL}}, &w));
    assert_non_null(strstr(w.text, "KAFKA_TLS"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_are_set),
        cmocka_unit_test(environment_wins),
        cmocka_unit_test(fixed_ones_stay),
        cmocka_unit_test(kept_ones_are_not_for_the_environment),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(clients_are_made_or_refused),
        cmocka_unit_test(a_user_logs_in_by_scram),
        cmocka_unit_test(tls_is_with_a_user_or_without),
        cmocka_unit_test(half_a_login_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
