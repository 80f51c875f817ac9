#include "stripe_metrics.h"

METRICS_DEFINE(stripe_metrics, STRIPE_METRICS);
