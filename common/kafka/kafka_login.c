#include "priv/kafka_login.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "config.h"
#include "kafka.h"
#include "log.h"

/* The first version that logs in to Kafka 4: until then the client's nonce came twice, which Kafka refuses
 * since (librdkafka#4895). */
enum { SCRAM_VERSION = 0x02060100 };

static struct {
    const char *user, *password, *ca;
    bool tls;
} login;

const struct config_var kafka_settings[] = {
    {"KAFKA_USER", CONFIG_TEXT, &login.user, "",
     "Who we are to Kafka, by SCRAM-SHA-512 (schemas/rights.json: what each may do); without one, nobody", 0,
     0},
    {"KAFKA_PASSWORD", CONFIG_SECRET, &login.password, "", "The password of KAFKA_USER", 0, 0},
    {"KAFKA_TLS", CONFIG_BOOL, &login.tls, "false", "Whether Kafka is reached by TLS", 0, 0},
    {"KAFKA_CA", CONFIG_TEXT, &login.ca, "",
     "A file of the authorities that vouch for Kafka then; without one, the system's", 0, 0},
    {0},
};

static bool given(const char *text) {
    return text != NULL && *text != '\0';
}

static enum status check(struct why *w) {
    if (given(login.user) != given(login.password))
        return why(w, ST_INVALID, "KAFKA_USER and KAFKA_PASSWORD: give both or neither");
    if (given(login.ca) && !login.tls)
        return why(w, ST_INVALID, "KAFKA_CA: vouches for nobody without KAFKA_TLS=true");
    return ST_OK;
}

/* Once, though there are many clients. */
static void warn_of_old_library(void) {
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (rd_kafka_version() < SCRAM_VERSION && !atomic_flag_test_and_set(&said))
        log_warn("kafka", "librdkafka %s cannot log in to Kafka 4 as KAFKA_USER: it takes 2.6.1",
                 rd_kafka_version_str());
}

enum status kafka_login_properties(struct kafka_property out[KAFKA_LOGIN_MAX + 1], struct why *w) {
    static const char *const protocols[2][2] = {{"plaintext", "sasl_plaintext"}, {"ssl", "sasl_ssl"}};
    if (check(w) != ST_OK) return ST_INVALID;
    *out++ =
        (struct kafka_property){"security.protocol", protocols[login.tls][given(login.user)], KAFKA_DEFAULT};
    if (given(login.user)) {
        warn_of_old_library();
        *out++ = (struct kafka_property){"sasl.mechanism", "SCRAM-SHA-512", KAFKA_DEFAULT};
        *out++ = (struct kafka_property){"sasl.username", login.user, KAFKA_DEFAULT};
        *out++ = (struct kafka_property){"sasl.password", login.password, KAFKA_DEFAULT};
    }
    if (given(login.ca)) *out++ = (struct kafka_property){"ssl.ca.location", login.ca, KAFKA_DEFAULT};
    *out = (struct kafka_property){0};
    return ST_OK;
}
