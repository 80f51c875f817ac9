/* kafka: what publisher, consumer and streams share of librdkafka: its configuration, logs and errors.
 *
 * Who we are to Kafka, and whether by TLS, is said by kafka_settings, which whoever makes clients loads
 * first. Any librdkafka property can be set by an environment variable RDKAFKA_ plus the property in
 * capitals, dots as underscores (RDKAFKA_SECURITY_PROTOCOL=SASL_SSL sets security.protocol;
 * RDKAFKA_SASL_PASSWORD_FILE names a file that has sasl.password); these replace our defaults, except the few
 * that correctness depends on.
 *
 * Clients made here log through log.h. A fatal error (the idempotent producer's guarantee is lost, the group
 * member is fenced) ends the process with exit 70: what is committed stays, and the next start goes on from
 * there. It is found when the client is polled. librdkafka recovers from all other errors by itself; they are
 * only logged. Any thread. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "config.h"
#include "status.h"

/* DEFAULT: the environment may say otherwise. FIXED: correctness depends on it, so another value there is
 * refused. KEPT: of a client that is used for a moment; what the environment says is for the others. */
enum kafka_rule { KAFKA_DEFAULT, KAFKA_FIXED, KAFKA_KEPT };

struct kafka_property {
    const char *name, *value;
    enum kafka_rule rule;
};

/* KAFKA_USER, KAFKA_PASSWORD, KAFKA_TLS, KAFKA_CA: for config_load; what it reads holds for all clients made
 * later. */
extern const struct config_var kafka_settings[];

/* A conf with brokers, log callback into log.h, the given properties (end with a NULL name) and the
 * environment's. NULL: why. */
rd_kafka_conf_t *kafka_conf(const char *brokers, const struct kafka_property *properties, struct why *w);
/* For code that polls a client itself and gets RD_KAFKA_RESP_ERR__FATAL: logs the reason and ends the
 * process. */
void kafka_fatal(rd_kafka_t *rk) __attribute__((noreturn));
/* A fatal error of this client ends nothing: its owner asks for it, and goes on with another. */
void kafka_outlive(rd_kafka_conf_t *conf);
/* Creates rk with the conf (taken), or NULL. */
rd_kafka_t *kafka_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct why *w);
