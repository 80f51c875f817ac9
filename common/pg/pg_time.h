/* pg_time: Postgres counts microseconds from 2000-01-01, in rows and in the replication stream. */
#pragma once

#include <stdint.h>

static const int64_t POSTGRES_EPOCH_US = 946684800 * INT64_C(1000000); /* in Unix time */
