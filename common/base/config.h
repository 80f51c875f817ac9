/* config: one table of settings, read from environment variables.
 *
 * --help is printed from the table. A secret may be in a file instead, which NAME_FILE names: an environment
 * is easily seen, by `docker inspect` for one. Called by the main thread, before there are others. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "status.h"

enum config_kind {
    CONFIG_TEXT,     /* const char * */
    CONFIG_SECRET,   /* const char *, never printed */
    CONFIG_INT,      /* int64_t within [min, max] */
    CONFIG_BOOL,     /* bool: true/false/1/0/yes/no/on/off */
    CONFIG_DURATION, /* int64_t milliseconds: "250ms", "15m", "30d"; a bare number is seconds; within [min,
                        max] */
};

struct config_var {
    const char *name;
    enum config_kind kind;
    void *target;
    const char *fallback; /* the default. NULL: must be given */
    const char *help;
    int64_t min, max; /* CONFIG_INT and CONFIG_DURATION; both 0: any */
};

/* The one secret in a file, without the line end behind it; lives as long as the process. NULL: why says it.
 * Any thread; it blocks on the disk. */
const char *config_read_secret(const char *path, struct why *w);
/* Tables end with a NULL name. Reads the environment into the targets, up to the first value that is missing
 * or wrong: ST_INVALID, and why is a line for the operator. Texts live as long as the process. */
enum status config_load(const struct config_var *const tables[], size_t ntables, struct why *w);
void config_help(FILE *out, const struct config_var *const tables[], size_t ntables);
