#include "body.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "utf8.h"
#include "uuid.h"

enum { MAX_NESTING = 32 };

/* Collects the first `most`. */
struct errors {
    struct body_error *list;
    int count, most;
};

static void add(struct errors *e, const char *field, const char *message) {
    if (e->count < e->most) e->list[e->count++] = (struct body_error){field, message};
}

/* Counts brackets outside of strings before the parser sees the text: it recurses, and its own limit of 2,048
 * levels costs more stack than a thread of ours has to spare. Malformed text may be counted wrongly; the
 * parser refuses it anyway. */
static bool too_deep(struct str text) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"')
            quoted = true;
        else if (c == '{' || c == '[') {
            if (++depth > MAX_NESTING) return true;
        } else if (c == '}' || c == ']')
            depth--;
    }
    return false;
}

static const char *parse_message(const json_error_t *error) {
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "must not have the same key twice";
    case json_error_null_byte_in_key:
    case json_error_null_character:
        return "must not contain NUL characters";
    default:
        return "must be valid JSON";
    }
}

/* The root object, or NULL with an error added. */
static json_t *parse(struct str text, struct errors *e) {
    if (text.n == 0) return json_object(); /* so that an empty body is told which fields it lacks */
    /* Integers as doubles: one too large for 64 bits is still a number, which a field that nobody reads may
     * be. */
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL;
    json_error_t error;
    json_t *root = NULL;
    if (!utf8_valid(text))
        add(e, NULL, "must be UTF-8 text without NUL characters");
    else if (too_deep(text))
        add(e, NULL, "must not be nested deeper than 32 levels");
    else if ((root = json_loadb(text.p, text.n, flags, &error)) == NULL)
        add(e, NULL, parse_message(&error));
    else if (!json_is_object(root)) {
        add(e, NULL, "must be a JSON object");
        json_decref(root);
        root = NULL;
    }
    return root;
}

static bool is_given(const json_t *object, const struct body_field *f) {
    const json_t *value = json_object_get(object, f->name);
    return value != NULL && !json_is_null(value);
}

static void read_fields(const json_t *object, const struct body_field *fields, void *out, struct arena *arena,
                        struct errors *e) {
    for (const struct body_field *f = fields; f->name != NULL; f++) {
        const json_t *value = json_object_get(object, f->name);
        if (!is_given(object, f)) {
            if (f->need == BODY_REQUIRED || (f->need == BODY_OR_NEXT && !is_given(object, f + 1)))
                add(e, f->name, "is required");
            continue;
        }
        const char *message = f->read(value, (char *)out + f->offset, arena);
        if (message != NULL) add(e, f->name, message);
    }
}

int body_read(struct str text, const struct body_field *fields, void *out, struct arena *arena,
              struct body_error errors[BODY_MAX_ERRORS]) {
    struct errors e = {errors, 0, BODY_MAX_ERRORS};
    json_t *root = parse(text, &e);
    if (root == NULL) return e.count;
    read_fields(root, fields, out, arena, &e);
    json_decref(root);
    return e.count;
}

const char *body_text(const json_t *value, void *out, struct arena *arena) {
    if (!json_is_string(value)) return "must be a string";
    *(struct str *)out = arena_str(arena, (struct str){json_string_value(value), json_string_length(value)});
    return NULL;
}

const char *body_uuid(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    struct str text = {json_string_value(value),
                       json_string_length(value)}; /* NULL and 0 when it is no string */
    return uuid_parse(text, out) ? NULL : "must be a UUID";
}

bool body_whole(const json_t *value, int64_t least, int64_t most, int64_t *out) {
    double v = json_is_number(value) ? json_number_value(value) : NAN;
    if (!(v >= (double)least && v <= (double)most) || v != floor(v)) return false;
    *out = (int64_t)v;
    return true;
}

const char *body_message(struct arena *arena, const char *fmt, ...) {
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return arena_str(arena, str_of(text)).p;
}

const char *body_objects(const json_t *value, const struct body_field *fields, size_t size, int most,
                         struct body_list *out, struct arena *arena) {
    size_t n = json_array_size(value); /* 0 when it is no array */
    if (n < 1 || n > (size_t)most) return body_message(arena, "must be a list of 1 to %d objects", most);
    *out = (struct body_list){arena_alloc(arena, n * size), (int)n};
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(value, i);
        struct body_error first;
        struct errors e = {&first, 0, 1};
        if (!json_is_object(item)) return body_message(arena, "number %zu must be an object", i + 1);
        read_fields(item, fields, (char *)out->items + i * size, arena, &e);
        if (e.count > 0) return body_message(arena, "%s of number %zu %s", first.field, i + 1, first.message);
    }
    return NULL;
}
