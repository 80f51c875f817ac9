/* static: the files of services/web/static, embedded by tools/staticgen.py. A path has a hash of its content
 * in its name (/static/app.0123456789ab.css), so it never changes and may be cached for good. Constant data:
 * any thread. */
#pragma once

#include "str.h"

struct static_file {
    struct str path;
    const char *content_type;
    struct str etag;        /* with its quotes */
    struct str bytes, gzip; /* gzip is empty where it would not be shorter */
};

/* The API's description, by tools/docsgen.py. What changes keeps its path: these are asked for again each
 * time. */
enum document { DOCUMENT_PAGE, DOCUMENT_OPENAPI };
extern const struct static_file document_files[];

extern const struct static_file static_files[]; /* by path; the one behind the last is all zero */
extern const size_t static_count;

const struct static_file *static_find(struct str path); /* NULL: there is none */
