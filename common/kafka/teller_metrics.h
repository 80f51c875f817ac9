/* teller_metrics: what a process said once a second. */
#pragma once

#include "metrics.h"

#define TELLER_METRICS(X)                                                                                    \
    X(M_TOLD, COUNTER, "onsale_told_records_total",                                                          \
      "Records of what the process counted that Kafka acknowledged")                                         \
    X(M_UNTOLD, COUNTER, "onsale_untold_records_total",                                                      \
      "Records of what the process counted that Kafka did not take: they are lost")
METRICS_DECLARE(teller_metrics, TELLER_METRICS);
