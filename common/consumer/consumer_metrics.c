#include "priv/consumer_metrics.h"

METRICS_DEFINE(consumer_metrics, CONSUMER_METRICS);
