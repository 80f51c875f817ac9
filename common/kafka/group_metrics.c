#include "group_metrics.h"

METRICS_DEFINE(group_metrics, GROUP_METRICS);
