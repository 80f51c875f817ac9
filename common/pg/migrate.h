/* migrate: numbered .sql files, embedded from migrations/NNN_name.sql, applied in order, each once, each in a
 * transaction of its own, under an advisory lock, noted in the table `migrations`. Files of common/migrations
 * (numbered 0xx: consumer positions, dead letters, publisher epochs) go first in every service. A file that
 * changed after it was applied is refused. */
#pragma once

#include "status.h"

struct migration {
    const char *name; /* "010_tickets" */
    const char *text;
};

/* Of what every service has: the tables of consumer and publisher. */
extern const struct migration pg_migrations[];

/* Both arrays end with a NULL name. */
enum status migrate(const char *url, const struct migration *common, const struct migration *own,
                    struct why *w);
