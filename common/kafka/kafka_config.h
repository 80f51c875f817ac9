/* kafka_config: how a topic or a broker is configured, as Kafka says. Blocks; any thread. */
#pragma once

#include <librdkafka/rdkafka.h>

/* An integer of the configuration of RD_KAFKA_RESOURCE_TOPIC or _BROKER; -1: Kafka does not say, within the
 * time or for want of a permission (DescribeConfigs). */
int kafka_config_int(rd_kafka_t *rk, rd_kafka_ResourceType_t type, const char *resource, const char *name,
                     int timeout_ms);
