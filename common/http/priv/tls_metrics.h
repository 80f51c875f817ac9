/* tls_metrics: of a process that speaks TLS. */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include "metrics.h"

#define TLS_METRICS(X)                                                                                       \
    X(M_TLS_NOT_AFTER, GAUGE, "onsale_http_tls_not_after_seconds",                                           \
      "Until when the certificate of the API's port is good, in Unix time")                                  \
    X(M_TLS_REFUSED, COUNTER, "onsale_http_tls_refused_total",                                               \
      "Clients whose TLS handshake failed, such as those without a certificate")
METRICS_DECLARE(tls_metrics, TLS_METRICS);
