/* migrate: brings a database up to date from files that the build embeds. It may run again, and in several
 * processes at a time: it holds an advisory lock. It blocks, on the thread that calls it.
 *
 * Each module that keeps something in the database has a set of files: those of the consumer and of the
 * publisher, then the service's own.
 *
 * migrations/NNN_name.sql change tables. They are applied in order, each once, each in a transaction of its
 * own; the table `migrations` has a row for each. A file that changed after it was applied is an error. A row
 * without a file is of a newer version, and is ignored.
 *
 * functions/NAME.sql can be replaced at any time: `create or replace function`, and rows that only functions
 * read. They are applied after the migrations, if their text is not what was applied last, all in one
 * transaction. The table `functions` has the checksums. `migrate` of an older version therefore applies that
 * version's functions again.
 *
 * Two versions use the database while one replaces the other. So:
 *
 * - The functions of a version work with its own tables and with those of the next one. Its statements work
 *   with the functions of the next one and of the one before.
 * - What a function takes and returns stays. Other types of arguments make another function beside the old
 *   one; other names of arguments, or another result, are refused by Postgres. Either way give the new
 *   function a name of its own, and drop the old one by a migration of the release after.
 * - A function whose file is removed stays in the database, for the version before, until a migration
 *   drops it.
 * - Functions may call each other in any order of their names. */
#pragma once

#include "status.h"

struct migrate_file {
    const char *name; /* without .sql: "010_things" */
    const char *text;
};

/* Both arrays end with a NULL name. tools/sqlgen.py makes a set of a folder, as FOLDER_schema. */
struct migrate_set {
    const struct migrate_file *migrations, *functions;
};

/* sets ends with NULL. Migrations of all sets come before functions of any. url: of the role that owns the
 * tables. serving_url: of the role that processes have, which may then read and write them; NULL, or the same
 * role: it owns them. */
enum status migrate(const char *url, const char *serving_url, const struct migrate_set *const sets[],
                    struct why *w);
