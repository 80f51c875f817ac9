#include "demand_metrics.h"

METRICS_DEFINE(demand_metrics, DEMAND_METRICS);
