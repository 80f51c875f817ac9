#include "picture_metrics.h"

METRICS_DEFINE(picture_metrics, PICTURE_METRICS);
