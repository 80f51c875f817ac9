#include "priv/publisher_metrics.h"

METRICS_DEFINE(publisher_metrics, PUBLISHER_METRICS);
