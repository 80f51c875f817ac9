/* expiration_metrics: metrics of the stream expiration but for those of its group (group_metrics.h). */
#pragma once

#include "metrics.h"

#define EXPIRATION_METRICS(X)                                                                                \
    X(M_TIMERS, GAUGE, "onsale_expiration_timers",                                                           \
      "Timers set: orders that the topic does not show to be over")                                          \
    X(M_TIMER_BYTES, GAUGE, "onsale_expiration_timer_bytes", "Memory that these timers take")                \
    X(M_REBUILD_LEFT, GAUGE, "onsale_expiration_rebuild_records",                                            \
      "Records to read until the timers of our partitions are whole")                                        \
    X(M_ORDERS_READ, COUNTER, "onsale_expiration_records_total", "Events of orders read")                    \
    X(M_ORDERS_UNREADABLE, COUNTER, "onsale_expiration_undecodable_total",                                   \
      "Records passed over because they could not be decoded")                                               \
    X(M_SIGNALS, COUNTER, "onsale_expiration_signals_total", "Orders whose first signal Kafka acknowledged") \
    X(M_SIGNALS_AGAIN, COUNTER, "onsale_expiration_signals_repeated_total",                                  \
      "Signals acknowledged that repeat one not acted on")                                                   \
    X(M_SIGNALS_FAILED, COUNTER, "onsale_expiration_signals_failed_total",                                   \
      "Signals that Kafka refused; they are given again")                                                    \
    X(M_SIGNALS_UNACKED, GAUGE, "onsale_expiration_signals_unacked",                                         \
      "Signals handed to Kafka and not acknowledged")                                                        \
    X(M_LATENESS, HISTOGRAM, "onsale_expiration_lateness_seconds",                                           \
      "From expiresAt to the first signal acknowledged by Kafka")
METRICS_DECLARE(expiration_metrics, EXPIRATION_METRICS);
