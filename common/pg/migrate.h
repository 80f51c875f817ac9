/* migrate: brings a database up to date from files that the build embeds. May run again, and in several
 * processes at a time: it holds an advisory lock.
 *
 * Each module that keeps something in the database has a set of files: those of the consumer and of the
 * publisher, then the service's own.
 *
 * migrations/NNN_name.sql change tables. Applied in order, each once, each in a transaction of its own, and
 * noted in the table `migrations`. A file that changed after it was applied is refused. One that is not known
 * here, as it belongs to a newer version, is left alone.
 *
 * functions/NAME.sql are what can be replaced at any time: `create or replace function`, and rows that only
 * functions read. Applied after the migrations, whenever their text is not what was applied last; all that
 * changed in one transaction. The table `functions` has the checksums. So an older version puts its own
 * functions back. What follows from that, as two versions use the database while one replaces the other:
 *
 * - The functions of a version work with the tables of the next one, and with its own.
 * - What a function takes and returns stays. Other types of arguments make another function beside the old
 *   one; other names of arguments, or another result, are refused by Postgres. Either way give the new
 *   function a name of its own, and drop the old one by a migration of the release after.
 * - A function whose file is gone stays, for the version before, until a migration drops it.
 * - Functions may call each other in any order of their names. */
#pragma once

#include "status.h"

struct migrate_file {
    const char *name; /* without .sql: "010_tickets" */
    const char *text;
};

/* Both arrays end with a NULL name. tools/sqlgen.py makes a set of a folder, as FOLDER_schema. */
struct migrate_set {
    const struct migrate_file *migrations, *functions;
};

/* sets ends with NULL. Migrations of all sets come before functions of any. */
enum status migrate(const char *url, const struct migrate_set *const sets[], struct why *w);
