/* picture_metrics: the metrics of the making of pictures. */
#pragma once

#include "metrics.h"

#define PICTURE_METRICS(X)                                                                                   \
    X(M_PICTURES_READ, COUNTER, "onsale_tickets_pictures_read_total",                                        \
      "Files of pictures that were read from the database")                                                  \
    X(M_PICTURES_WAITING, GAUGE, "onsale_tickets_pictures_waiting", "Pictures that wait to be made")         \
    X(M_PICTURES_MADE, COUNTER, "onsale_tickets_pictures_made_total", "Pictures of shows that were made")    \
    X(M_PICTURES_REFUSED, COUNTER, "onsale_tickets_pictures_refused_total",                                  \
      "Pictures that were sent and could not be used")
METRICS_DECLARE(picture_metrics, PICTURE_METRICS);
