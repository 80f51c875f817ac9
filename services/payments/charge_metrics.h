/* charge_metrics: the metrics of charges and refunds. */
#pragma once

#include "metrics.h"

#define CHARGE_METRICS(X)                                                                                    \
    X(M_CHARGES_SWEPT, COUNTER, "onsale_payments_swept_total",                                               \
      "Charges taken up by the sweep: refunds, cancellations, what was left behind")                         \
    X(M_REFUNDS, COUNTER, "onsale_payments_refunds_total", "Refunds made")                                   \
    X(M_OLDEST_OPEN_REFUND, GAUGE, "onsale_payments_oldest_open_refund_seconds",                             \
      "How long ago the oldest refund was due that is not made; 0: all are made")                            \
    X(M_OLDEST_DUE_REFUND, GAUGE, "onsale_payments_oldest_due_refund_seconds",                               \
      "The same, of those that Stripe has not taken")                                                        \
    X(M_OLDEST_PENDING_REFUND, GAUGE, "onsale_payments_oldest_pending_refund_seconds",                       \
      "The same, of those that Stripe has taken and the bank has not")                                       \
    X(M_REFUNDS_STUCK, GAUGE, "onsale_payments_refunds_stuck",                                               \
      "Refunds that failed too often, or came back after somebody made them by hand: a person has to look")  \
    X(M_OPEN_DISPUTES, GAUGE, "onsale_payments_open_disputes", "Disputes that are not decided")              \
    X(M_WAITING, GAUGE, "onsale_payments_waiting", "Payments that wait in line for their turn at Stripe")    \
    X(M_OLDEST_WAITING, GAUGE, "onsale_payments_oldest_waiting_seconds",                                     \
      "For how long the first of them has waited")                                                           \
    X(M_PACE, GAUGE, "onsale_payments_pace_per_minute",                                                      \
      "New payments that are sent to Stripe a minute at most, as of now; 0: there is no limit")              \
    X(M_DECLINED, GAUGE, "onsale_payments_declined",                                                         \
      "Payments that were declined within an hour, of all replicas, however their answers came")             \
    X(M_PAID, GAUGE, "onsale_payments_paid", "Payments that were made within an hour, of all replicas")      \
    X(M_REFUSED_CARDS, GAUGE, "onsale_payments_refused_cards",                                               \
      "Cards that are not tried again, as they were declined too often within a day")                        \
    X(M_PAYMENT_TIME, HISTOGRAM, "onsale_payments_own_duration_seconds",                                     \
      "Of a request to pay that is sent to Stripe at once: all of it but Stripe's part")
METRICS_DECLARE(charge_metrics, CHARGE_METRICS);
