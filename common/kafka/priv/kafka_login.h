/* kafka_login: who a process is to Kafka, and how it knows Kafka: what the settings in kafka.h's
 * kafka_settings say, as properties of librdkafka. */
#pragma once

#ifndef KAFKA_PRIV
#error "private to common/kafka"
#endif

#include "kafka.h"

enum { KAFKA_LOGIN_MAX = 5 };

/* Ended by one without a name. ST_INVALID: the settings contradict each other. */
enum status kafka_login_properties(struct kafka_property out[KAFKA_LOGIN_MAX + 1], struct why *w);
