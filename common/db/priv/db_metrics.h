/* db_metrics: the batches of the HTTP threads, and their connections to Postgres. */
#pragma once

#ifndef DB_PRIV
#error "private to common/db"
#endif

#include "metrics.h"

#define DB_METRICS(X)                                                                                        \
    X(M_DB_BATCHES, COUNTER, "onsale_db_batches_total", "Batches sent to Postgres by HTTP threads")          \
    X(M_DB_ITEMS, COUNTER, "onsale_db_items_total", "Items carried by these batches")                        \
    X(M_DB_REFUSED, COUNTER, "onsale_db_refused_total",                                                      \
      "Items refused because the queue was full or the connection down")                                     \
    X(M_DB_RECONNECTS, COUNTER, "onsale_db_reconnects_total",                                                \
      "Connections to Postgres opened again after a loss")                                                   \
    X(M_DB_BATCH_TIME, HISTOGRAM, "onsale_db_batch_duration_seconds",                                        \
      "From sending a batch to its last row")                                                                \
    X(M_DB_WAITING, GAUGE, "onsale_db_waiting_items", "Items added and not answered")
METRICS_DECLARE(db_metrics, DB_METRICS);
