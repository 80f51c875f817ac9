/* consumer_metrics: metrics of the consumer but for those of its group (group_metrics.h). */
#pragma once

#ifndef CONSUMER_PRIV
#error "private to common/consumer"
#endif

#include "metrics.h"

#define CONSUMER_METRICS(X)                                                                                  \
    X(M_CONSUMER_BATCHES, COUNTER, "onsale_consumer_batches_total", "Transactions that carried them")        \
    X(M_CONSUMER_FENCED, COUNTER, "onsale_consumer_fenced_total",                                            \
      "Batches dropped because another instance had moved on")                                               \
    X(M_CONSUMER_RETRIES, COUNTER, "onsale_consumer_retries_total",                                          \
      "Batches tried again after an error of the database or registry")                                      \
    X(M_DEAD_LETTERS, COUNTER, "onsale_consumer_dead_letters_total",                                         \
      "Records put aside because they could not be decoded")                                                 \
    X(M_REACT_TIME, HISTOGRAM, "onsale_consumer_delay_seconds",                                              \
      "From a record's timestamp to its effects committed")
METRICS_DECLARE(consumer_metrics, CONSUMER_METRICS);
