/* http_metrics: metrics of HTTP but for those by route, which http_stats.c writes. */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include "metrics.h"

#define HTTP_METRICS(X)                                                                                      \
    X(M_STREAMS_DROPPED, COUNTER, "onsale_http_streams_dropped_total",                                       \
      "Streams whose clients did not keep up")
METRICS_DECLARE(http_metrics, HTTP_METRICS);
