#include "making_metrics.h"

METRICS_DEFINE(making_metrics, MAKING_METRICS);
