#include "state_metrics.h"

METRICS_DEFINE(state_metrics, STATE_METRICS);
