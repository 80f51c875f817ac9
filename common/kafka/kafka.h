/* kafka: what publisher, consumer and streams share of librdkafka: its configuration, logs and errors.
 *
 * Any librdkafka property can be set by an environment variable RDKAFKA_ plus the property in capitals, dots
 * as underscores (RDKAFKA_SECURITY_PROTOCOL=SASL_SSL sets security.protocol); these win over our defaults
 * except the few that correctness rests on.
 *
 * Clients made here log through log.h. A fatal error (the idempotent producer's guarantee is lost, the group
 * member is fenced) ends the process with exit 70: what is committed is safe where it is, and the next start
 * goes on from there. Other errors heal by themselves inside librdkafka and are only logged. Fatal errors
 * surface when the client is polled. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "status.h"

struct kafka_property {
    const char *name, *value;
    bool fixed; /* correctness rests on it: an environment variable that says otherwise is refused */
};

/* A conf with brokers, log callback into log.h, the given properties (end with a NULL name) and the
 * environment's. NULL: why. */
rd_kafka_conf_t *kafka_conf(const char *brokers, const struct kafka_property *properties, struct why *w);
/* For who polls a client by itself, and is told RD_KAFKA_RESP_ERR__FATAL: says why and ends the process. */
void kafka_fatal(rd_kafka_t *rk) __attribute__((noreturn));
/* Creates rk with the conf (taken), or NULL. */
rd_kafka_t *kafka_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct why *w);
