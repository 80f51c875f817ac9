#include "priv/http_metrics.h"
#include "priv/tls_metrics.h"

METRICS_DEFINE(http_metrics, HTTP_METRICS);
METRICS_DEFINE(tls_metrics, TLS_METRICS);
