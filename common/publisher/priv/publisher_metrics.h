/* publisher_metrics: the publisher's metrics. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "metrics.h"

#define PUBLISHER_METRICS(X)                                                                                 \
    X(M_PUBLISHED, COUNTER, "onsale_publisher_events_total", "Events acknowledged by Kafka")                 \
    X(M_PUBLISH_SKIPPED, COUNTER, "onsale_publisher_skipped_total",                                          \
      "Events found on the topic already after a restart")                                                   \
    X(M_REPUBLISHED, COUNTER, "onsale_publisher_republished_total",                                          \
      "Events published from the log again under a new epoch")                                               \
    X(M_PUBLISHER_ACTIVE, GAUGE, "onsale_publisher_active", "1 while this replica holds the slot")           \
    X(M_PUBLISHER_LAG, GAUGE, "onsale_publisher_lag_bytes",                                                  \
      "WAL between what is written and what is confirmed")                                                   \
    X(M_PUBLISHER_UNACKED, GAUGE, "onsale_publisher_unacked_events",                                         \
      "Events handed to Kafka and not acknowledged")                                                         \
    X(M_PUBLISHER_COPIES, GAUGE, "onsale_publisher_event_copies",                                            \
      "Copies that Kafka has of an event before it counts as published; 0: not known")                       \
    X(M_PUBLISHER_AWAITS, GAUGE, "onsale_publisher_standby_wait_seconds",                                    \
      "How long events have waited for the synchronous standby")                                             \
    X(M_WATERMARK_AGE, GAUGE, "onsale_publisher_watermark_age_seconds",                                      \
      "How old the newest promise is that all events up to a time are published")                            \
    X(M_LATE_EVENTS, COUNTER, "onsale_publisher_late_events_total",                                          \
      "Events of a time up to which all were said to be published")                                          \
    X(M_PUBLISH_TIME, HISTOGRAM, "onsale_publisher_delay_seconds", "From commit to acknowledged by Kafka")   \
    X(M_EVENTS_EXPIRED, COUNTER, "onsale_events_expired_total",                                              \
      "Events deleted from the log after EVENT_RETENTION")
METRICS_DECLARE(publisher_metrics, PUBLISHER_METRICS);
