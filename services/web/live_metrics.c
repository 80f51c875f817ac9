#include "live_metrics.h"

METRICS_DEFINE(live_metrics, LIVE_METRICS);
