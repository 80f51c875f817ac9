#include "expiration_metrics.h"

METRICS_DEFINE(expiration_metrics, EXPIRATION_METRICS);
