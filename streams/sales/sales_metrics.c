#include "sales_metrics.h"

METRICS_DEFINE(sales_metrics, SALES_METRICS);
