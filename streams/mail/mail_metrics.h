/* mail_metrics: metrics of the stream mail but for those of its group (group_metrics.h). */
#pragma once

#include "metrics.h"

#define MAIL_METRICS(X)                                                                                      \
    X(M_MAIL_SENT, COUNTER, "onsale_mail_sent_total", "Letters that the server took")                        \
    X(M_MAIL_BOUNCED, COUNTER, "onsale_mail_bounced_total", "Letters that the server refused for good")      \
    X(M_MAIL_EXPIRED, COUNTER, "onsale_mail_expired_total",                                                  \
      "Letters given up because they could not be sent in time")                                             \
    X(M_MAIL_DEFERRED, COUNTER, "onsale_mail_deferred_total",                                                \
      "Tries of a letter that the server did not take then")                                                 \
    X(M_MAIL_FAILURES, COUNTER, "onsale_mail_server_failures_total",                                         \
      "Tries of a letter for which the server was away, or would not have us")                               \
    X(M_MAIL_UNDECODABLE, COUNTER, "onsale_mail_undecodable_total",                                          \
      "Records passed over because they could not be decoded")                                               \
    X(M_MAIL_BEHIND, GAUGE, "onsale_mail_behind_seconds",                                                    \
      "Age of the letter that could not be sent at the last try; 0: none")                                   \
    X(M_MAIL_TIME, HISTOGRAM, "onsale_mail_time_seconds", "From a letter's event to the server's 250")
METRICS_DECLARE(mail_metrics, MAIL_METRICS);
