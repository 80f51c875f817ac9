/* stripe_metrics: the metrics of requests to Stripe. */
#pragma once

#include "metrics.h"

#define STRIPE_METRICS(X)                                                                                    \
    X(M_STRIPE_REQUESTS, COUNTER, "onsale_stripe_requests_total", "Requests sent to Stripe")                 \
    X(M_STRIPE_RETRIES, COUNTER, "onsale_stripe_retries_total",                                              \
      "Of these, repetitions after an answer that was none")                                                 \
    X(M_STRIPE_LIMITED, COUNTER, "onsale_stripe_limited_total",                                              \
      "Requests that Stripe refused because there were too many (429)")                                      \
    X(M_CARDS_REFUSED, COUNTER, "onsale_stripe_cards_refused_total",                                         \
      "Payments that were not made, because the card was declined too often (PAYMENT_FAILURES_PER_CARD)")    \
    X(M_STRIPE_UNKNOWN, COUNTER, "onsale_stripe_unknown_total",                                              \
      "Questions to Stripe that ended without an answer; they are asked again")                              \
    X(M_STRIPE_TIME, HISTOGRAM, "onsale_stripe_duration_seconds",                                            \
      "From a question to Stripe to its answer, with all its tries")
METRICS_DECLARE(stripe_metrics, STRIPE_METRICS);
