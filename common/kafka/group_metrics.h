/* group_metrics: the metrics of a reader of a consumer group: the consumer of a service, or a stream. The
 * reader registers and updates them, because only it knows what it has committed. */
#pragma once

#include "metrics.h"

#define GROUP_METRICS(X)                                                                                     \
    X(M_CONSUMED, COUNTER, "onsale_consumer_records_total", "Records whose effects were committed")          \
    X(M_OFFSET_RESETS, COUNTER, "onsale_consumer_offset_resets_total",                                       \
      "Positions that Kafka no longer had: read from the earliest again")                                    \
    X(M_CONSUMER_LAG, GAUGE, "onsale_consumer_lag_records",                                                  \
      "Records between our position and the end of our partitions")                                          \
    X(M_PARTITIONS_WAITING, GAUGE, "onsale_consumer_partitions_waiting",                                     \
      "Partitions that wait because their next record cannot be used now")                                   \
    X(M_CONSUMER_PARTITIONS, GAUGE, "onsale_consumer_partitions", "Partitions assigned to this instance")
METRICS_DECLARE(group_metrics, GROUP_METRICS);
