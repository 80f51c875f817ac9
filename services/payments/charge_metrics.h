/* charge_metrics: the metrics of charges and refunds. */
#pragma once

#include "metrics.h"

#define CHARGE_METRICS(X)                                                                                    \
    X(M_CHARGES_SWEPT, COUNTER, "onsale_payments_swept_total",                                               \
      "Charges taken up by the sweep: refunds, cancellations, what was left behind")                         \
    X(M_REFUNDS, COUNTER, "onsale_payments_refunds_total", "Refunds made")                                   \
    X(M_PAYMENT_TIME, HISTOGRAM, "onsale_payments_own_duration_seconds",                                     \
      "Of a request to pay: all of it but Stripe's part")
METRICS_DECLARE(charge_metrics, CHARGE_METRICS);
