#include "waiting_metrics.h"

METRICS_DEFINE(waiting_metrics, WAITING_METRICS);
