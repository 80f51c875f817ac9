/* kafka_compat: in what the versions of librdkafka differ that this is built with, from 2.0 (Debian 12) on.
 */
#pragma once

#include <librdkafka/rdkafka.h>

/* With its queue full it waits for a second until it looks again; from 2.2 on, for as long as
 * fetch.queue.backoff.ms says. */
#define KAFKA_HAS_QUEUE_BACKOFF (RD_KAFKA_VERSION >= 0x02020000)
