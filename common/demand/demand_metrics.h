/* demand_metrics: what could not be counted. */
#pragma once

#include "metrics.h"

#define DEMAND_METRICS(X)                                                                                    \
    X(M_DEMAND_UNCOUNTED, COUNTER, "onsale_demand_uncounted_total",                                          \
      "What happened to shows for which there was no room in a second's counts")
METRICS_DECLARE(demand_metrics, DEMAND_METRICS);
