#include "multipart.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum { BOUNDARY_MOST = 70 }; /* RFC 2046, 5.1.1 */

/* Cuts off what is before `at` and takes what is behind it. false: it is not there. */
static bool cut(struct str *rest, struct str at, struct str *before) {
    const char *found = rest->n == 0 ? NULL : memmem(rest->p, rest->n, at.p, at.n);
    if (found == NULL) return false;
    size_t n = (size_t)(found - rest->p);
    *before = (struct str){rest->p, n};
    *rest = (struct str){found + at.n, rest->n - n - at.n};
    return true;
}

static bool begins(struct str s, struct str with) {
    return s.n >= with.n && strncasecmp(s.p, with.p, with.n) == 0;
}

/* The value of a parameter, in quotes or not: of `name="a b"; x=y`. */
static bool parameter(struct str header, const char *name_and_equals, struct str *out) {
    struct str before, at = str_of(name_and_equals);
    while (cut(&header, at, &before)) {
        bool whole = before.n > 0 && strchr("; \t", before.p[before.n - 1]) != NULL;
        if (!whole) continue;
        bool quoted = header.n > 0 && *header.p == '"';
        if (quoted) return header = (struct str){header.p + 1, header.n - 1}, cut(&header, STR("\""), out);
        if (!cut(&header, STR(";"), out)) *out = header;
        return true;
    }
    return false;
}

/* What stands before each part, but for its line end. */
static bool read_delimiter(struct str content_type, char out[BOUNDARY_MOST + 5]) {
    struct str boundary;
    if (!begins(content_type, STR("multipart/form-data")) || !parameter(content_type, "boundary=", &boundary))
        return false;
    if (boundary.n < 1 || boundary.n > BOUNDARY_MOST) return false;
    snprintf(out, BOUNDARY_MOST + 5, "\r\n--%.*s", (int)boundary.n, boundary.p);
    return true;
}

/* Whether the headers of a part say that it is the field of that name. */
static bool is_field(struct str headers, const char *name) {
    struct str line, field;
    while (headers.n > 0) {
        if (!cut(&headers, STR("\r\n"), &line)) line = headers, headers.n = 0;
        if (begins(line, STR("content-disposition:")))
            return parameter(line, "name=", &field) && str_eq(field, str_of(name));
    }
    return false;
}

bool multipart_find(struct str content_type, struct str body, const char *name, struct str *out) {
    char text[BOUNDARY_MOST + 5];
    struct str headers, before;
    if (!read_delimiter(content_type, text)) return false;
    struct str delimiter = str_of(text), first = {text + 2, delimiter.n - 2};
    if (!cut(&body, first, &before) || before.n > 0) return false;
    while (begins(body, STR("\r\n")) && cut(&body, STR("\r\n\r\n"), &headers) && cut(&body, delimiter, out))
        if (is_field(headers, name)) return true;
    return false;
}
