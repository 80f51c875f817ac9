#include "charge_metrics.h"

METRICS_DEFINE(charge_metrics, CHARGE_METRICS);
