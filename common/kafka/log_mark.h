/* log_mark: where a record of an event log stands in the order of the log, as its headers `epoch` and
 * `position` say.
 *
 * A publisher that was replaced may still have records on their way, which come behind those of its
 * successor: an event that was told already, after later ones. In a partition the marks of what is new only
 * rise. Any thread. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "log_position.h"

struct log_mark {
    bool known; /* false: the record has no such headers */
    uint64_t epoch;
    struct log_position position;
};

struct log_mark log_mark_of(const rd_kafka_message_t *m);
/* Whether a record with this mark was told before, where the newest of its partition has the other. */
bool log_mark_is_old(const struct log_mark *mark, const struct log_mark *newest);
