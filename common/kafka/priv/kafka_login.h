/* kafka_login: who a process is to Kafka, and how it knows Kafka: what the settings in kafka.h's
 * kafka_settings say, as properties of librdkafka. */
#pragma once

#ifndef KAFKA_PRIV
#error "private to common/kafka"
#endif

#include <librdkafka/rdkafka.h>

#include "status.h"

/* ST_INVALID: they contradict each other. Without any of them nothing is set. */
enum status kafka_login_set(rd_kafka_conf_t *conf, struct why *w);
