#include "teller_metrics.h"

METRICS_DEFINE(teller_metrics, TELLER_METRICS);
