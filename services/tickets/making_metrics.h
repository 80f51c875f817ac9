/* making_metrics: the metrics of the making of areas, and of what else is done in the background. */
#pragma once

#include "metrics.h"

#define MAKING_METRICS(X)                                                                                    \
    X(M_BLOCKS_MADE, COUNTER, "onsale_tickets_blocks_made_total",                                            \
      "Blocks of up to 60 places whose tickets this process made")                                           \
    X(M_BLOCKS_WITHDRAWN, COUNTER, "onsale_tickets_blocks_withdrawn_total",                                  \
      "Blocks of up to 60 places whose tickets this process withdrew")                                       \
    X(M_PICTURES_FORGOTTEN, COUNTER, "onsale_tickets_pictures_forgotten_total",                              \
      "Pictures that were deleted: of shows long over, or replaced an hour before")
METRICS_DECLARE(making_metrics, MAKING_METRICS);
