/* live_metrics: the metrics of the live pages. */
#pragma once

#include "metrics.h"

#define LIVE_METRICS(X)                                                                                      \
    X(M_LIVE_STREAMS, GAUGE, "onsale_live_streams", "Pages that are told of changes as they happen")         \
    X(M_LIVE_REFUSED, COUNTER, "onsale_live_refused_total",                                                  \
      "Pages that are not told, as their address or session has as many streams as it may")                  \
    X(M_LIVE_CHANGES, COUNTER, "onsale_live_changes_total", "Changes told to a page")                        \
    X(M_LIVE_RECORDS, COUNTER, "onsale_live_records_total", "Events read for the live pages")                \
    X(M_LIVE_UNREADABLE, COUNTER, "onsale_live_undecodable_total",                                           \
      "Of these, passed over because they could not be decoded")                                             \
    X(M_LIVE_ITEMS, GAUGE, "onsale_live_items",                                                              \
      "Tickets and orders kept in mind for pages that come, or come back")
METRICS_DECLARE(live_metrics, LIVE_METRICS);
