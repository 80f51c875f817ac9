/* state_metrics: metrics of the stream state but for those of its group (group_metrics.h). */
#pragma once

#include "metrics.h"

#define STATE_METRICS(X)                                                                                     \
    X(M_STATE_READ, COUNTER, "onsale_state_records_total", "Events read to be copied")                       \
    X(M_STATE_WRITTEN, COUNTER, "onsale_state_written_total", "Of these, copied onto the topics of states")  \
    X(M_STATE_OLD, COUNTER, "onsale_state_old_total",                                                        \
      "Of these, left out: the state has the version, or a higher one")                                      \
    X(M_STATE_REFUSED, COUNTER, "onsale_state_refused_total",                                                \
      "Records passed over because they could not be decoded, or have no version that can be")               \
    X(M_STATE_COMMITS, COUNTER, "onsale_state_transactions_total", "Transactions that carried copies")       \
    X(M_STATE_ABORTS, COUNTER, "onsale_state_transactions_void_total",                                       \
      "Transactions that were void: another instance had moved on, or Kafka was away")                       \
    X(M_STATE_IDS, GAUGE, "onsale_state_ids", "Tickets, orders and shows whose version is in memory")        \
    X(M_STATE_BYTES, GAUGE, "onsale_state_version_bytes", "Memory that these versions take")                 \
    X(M_STATE_REBUILD_LEFT, GAUGE, "onsale_state_rebuild_records",                                           \
      "Records to read until the states of our partitions are whole")                                        \
    X(M_STATE_TIME, HISTOGRAM, "onsale_state_delay_seconds",                                                 \
      "From an event's arrival in Kafka to its copy committed")
METRICS_DECLARE(state_metrics, STATE_METRICS);
