/* sales_metrics: metrics of the stream sales but for those of its group (group_metrics.h). */
#pragma once

#include "metrics.h"

#define SALES_METRICS(X)                                                                                     \
    X(M_SALES_READ, COUNTER, "onsale_sales_records_total", "Events of orders read to be counted")            \
    X(M_SALES_COUNTED, COUNTER, "onsale_sales_counted_total", "Of these, changes that were counted")         \
    X(M_SALES_LATE, COUNTER, "onsale_sales_late_total",                                                      \
      "Of these, such as came after one of a later minute")                                                  \
    X(M_SALES_REFUSED, COUNTER, "onsale_sales_refused_total",                                                \
      "Records passed over because they could not be decoded, or cannot be")                                 \
    X(M_SALES_OLD, COUNTER, "onsale_sales_old_total",                                                        \
      "Changes not counted: older than WINDOW_KEEP, by the newest of their partition")                       \
    X(M_SALES_ROWS, COUNTER, "onsale_sales_rows_total", "Rows published on sales-by-minute and show-sales")  \
    X(M_SALES_COMMITS, COUNTER, "onsale_sales_transactions_total", "Transactions that carried them")         \
    X(M_SALES_ABORTS, COUNTER, "onsale_sales_transactions_void_total",                                       \
      "Transactions that were void: another instance had moved on, or Kafka was away")                       \
    X(M_SALES_TICKETS, GAUGE, "onsale_sales_tickets", "Tickets of which something is counted")               \
    X(M_SALES_WINDOWS, GAUGE, "onsale_sales_windows",                                                        \
      "Minutes of these tickets in which something happened")                                                \
    X(M_SALES_BYTES, GAUGE, "onsale_sales_window_bytes", "Memory that these minutes take")                   \
    X(M_SALES_REBUILD_LEFT, GAUGE, "onsale_sales_rebuild_records",                                           \
      "Records to read until the counts of our partitions are whole")                                        \
    X(M_SALES_TIME, HISTOGRAM, "onsale_sales_delay_seconds",                                                 \
      "From an event's arrival in Kafka to its row committed")
METRICS_DECLARE(sales_metrics, SALES_METRICS);
