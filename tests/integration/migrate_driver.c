/* migrate_driver: what `SERVICE migrate` of another version does, for test_functions.py.
 *
 *     migrate_driver DIR    brings OWNER_DATABASE_URL up to DIR/migrations/NNN_name.sql and
 *                           DIR/functions/NAME.sql; DATABASE_URL's role serves it
 */
#include <assert.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "consumer.h"
#include "log.h"
#include "mem.h"
#include "migrate.h"
#include "publisher.h"

static char *text_of(const char *path) {
    FILE *file = fopen(path, "r");
    assert(file != NULL);
    struct buf text = {0};
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;)
        buf_add(&text, part, n);
    buf_add(&text, "", 1);
    fclose(file);
    return (char *)text.data;
}

static const char *stem_of(const char *path) {
    char *name = mem_strdup(strrchr(path, '/') + 1);
    *strrchr(name, '.') = '\0';
    return name;
}

/* In the order of their names, as glob gives them. */
static const struct migrate_file *files_of(const char *directory, const char *folder) {
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/%s/*.sql", directory, folder);
    int rc = glob(pattern, 0, NULL, &found);
    assert(rc == 0);
    struct migrate_file *files = mem_alloc((found.gl_pathc + 1) * sizeof *files);
    for (size_t i = 0; i < found.gl_pathc; i++)
        files[i] = (struct migrate_file){stem_of(found.gl_pathv[i]), text_of(found.gl_pathv[i])};
    globfree(&found);
    return files;
}

int main(int argc, char **argv) {
    assert(argc == 2);
    log_setup("migrate_driver", LOG_INFO);
    struct why w = {0};
    const struct migrate_set own = {files_of(argv[1], "migrations"), files_of(argv[1], "functions")};
    const struct migrate_set *const sets[] = {&consumer_schema, &publisher_schema, &own, NULL};
    if (migrate(getenv("OWNER_DATABASE_URL"), getenv("DATABASE_URL"), sets, &w) == ST_OK) return 0;
    fprintf(stderr, "%s\n", w.text);
    return 1;
}
