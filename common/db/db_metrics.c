#include "priv/db_metrics.h"

METRICS_DEFINE(db_metrics, DB_METRICS);
