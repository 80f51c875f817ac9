#include "priv/avro_shape.h"

#include <string.h>

#include "arena.h"
#include "avro_wire.h"

enum {
    MAX_TEXT = 128 * 1024, /* our largest schema is 6 KiB, most of it doc */
    MAX_DEPTH = 32,        /* of types within types, when read and when passed over */
    MAX_NAMES = 1000,      /* they are looked up one by one */
};

/* What is known while a text is read. */
struct parser {
    struct arena *arena;
    struct avro_shape *names[MAX_NAMES];
    int count;
    int depth;
    struct why *w;
};

static const struct {
    const char *name;
    enum shape_kind kind;
} primitives[] = {
    {"null", SHAPE_NULL},   {"boolean", SHAPE_BOOLEAN}, {"int", SHAPE_INT},     {"long", SHAPE_LONG},
    {"float", SHAPE_FLOAT}, {"double", SHAPE_DOUBLE},   {"bytes", SHAPE_BYTES}, {"string", SHAPE_STRING},
};

static const struct avro_shape *parse_type(struct parser *ps, json_t *type, const char *namespace);

static const struct avro_shape *refuse(struct parser *ps, const char *what, const char *which) {
    why(ps->w, ST_INVALID, "schema: %s: %.80s", what, which);
    return NULL;
}

static const char *copy(struct parser *ps, const char *text) {
    return arena_str(ps->arena, str_of(text)).p;
}

static struct avro_shape *shape_new(struct parser *ps, enum shape_kind kind, const char *name) {
    struct avro_shape *shape = arena_alloc(ps->arena, sizeof *shape);
    *shape = (struct avro_shape){.kind = kind, .name = name, .logical = ""};
    return shape;
}

static void make_parts(struct parser *ps, struct avro_shape *shape, size_t count) {
    shape->count = (int)count;
    shape->parts = arena_alloc(ps->arena, count * sizeof(void *));
    shape->labels = arena_alloc(ps->arena, count * sizeof(void *));
}

/* --- names --- */

const char *avro_unqualified(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

static const char *full_name(struct parser *ps, const char *name, const char *namespace) {
    if (strchr(name, '.') != NULL || *namespace == '\0') return copy(ps, name);
    size_t before = strlen(namespace), size = before + strlen(name) + 2;
    char *full = arena_alloc(ps->arena, size);
    memcpy(full, namespace, before);
    full[before] = '.';
    memcpy(full + before + 1, name, size - before - 1);
    return full;
}

static const char *namespace_of(struct parser *ps, const char *full) {
    const char *dot = strrchr(full, '.');
    return dot == NULL ? "" : arena_str(ps->arena, (struct str){full, (size_t)(dot - full)}).p;
}

static const struct avro_shape *find(struct parser *ps, const char *full) {
    for (int i = 0; i < ps->count; i++)
        if (strcmp(ps->names[i]->name, full) == 0) return ps->names[i];
    return NULL;
}

static const struct avro_shape *parse_name(struct parser *ps, const char *name, const char *namespace) {
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++) {
        if (strcmp(primitives[i].name, name) != 0) continue;
        struct avro_shape *shape = shape_new(ps, primitives[i].kind, primitives[i].name);
        shape->empty = shape->kind == SHAPE_NULL;
        return shape;
    }
    const struct avro_shape *shape = find(ps, full_name(ps, name, namespace));
    return shape != NULL ? shape : refuse(ps, "no such type", name);
}

/* A record, enum or fixed: known by its name from here on, so that a record can hold itself. */
static struct avro_shape *declare(struct parser *ps, enum shape_kind kind, json_t *type,
                                  const char *namespace) {
    const char *name = json_string_value(json_object_get(type, "name"));
    const char *own = json_string_value(json_object_get(type, "namespace"));
    if (name == NULL || *name == '\0') {
        refuse(ps, "a type without a name in", namespace);
        return NULL;
    }
    struct avro_shape *shape = shape_new(ps, kind, full_name(ps, name, own != NULL ? own : namespace));
    if (find(ps, shape->name) != NULL) {
        refuse(ps, "declared twice", shape->name);
        return NULL;
    }
    if (ps->count == MAX_NAMES) {
        refuse(ps, "too many named types", shape->name);
        return NULL;
    }
    return ps->names[ps->count++] = shape;
}

/* --- the kinds --- */

static const struct avro_shape *parse_record(struct parser *ps, json_t *type, const char *namespace) {
    struct avro_shape *shape = declare(ps, SHAPE_RECORD, type, namespace);
    if (shape == NULL) return NULL;
    json_t *fields = json_object_get(type, "fields"), *field;
    if (!json_is_array(fields)) return refuse(ps, "a record without fields", shape->name);
    make_parts(ps, shape, json_array_size(fields));
    const char *inner = namespace_of(ps, shape->name);
    shape->solid = arena_alloc(ps->arena, json_array_size(fields) * sizeof(void *));
    int solid = 0;
    size_t i;
    json_array_foreach(fields, i, field) {
        const char *name = json_string_value(json_object_get(field, "name"));
        if (name == NULL) return refuse(ps, "a field without a name in", shape->name);
        shape->labels[i] = copy(ps, name);
        shape->parts[i] = parse_type(ps, json_object_get(field, "type"), inner);
        if (shape->parts[i] == NULL) return NULL;
        if (!shape->parts[i]->empty) shape->solid[solid++] = shape->parts[i];
    }
    shape->nsolid = solid;
    shape->empty = solid == 0; /* only now: a record that holds itself is not empty */
    return shape;
}

static const struct avro_shape *parse_enum(struct parser *ps, json_t *type, const char *namespace) {
    struct avro_shape *shape = declare(ps, SHAPE_ENUM, type, namespace);
    if (shape == NULL) return NULL;
    json_t *symbols = json_object_get(type, "symbols"), *symbol;
    if (json_array_size(symbols) == 0) return refuse(ps, "an enum without symbols", shape->name);
    make_parts(ps, shape, json_array_size(symbols));
    size_t i;
    json_array_foreach(symbols, i, symbol) {
        if (!json_is_string(symbol)) return refuse(ps, "a symbol that is no text in", shape->name);
        shape->labels[i] = copy(ps, json_string_value(symbol));
    }
    return shape;
}

static const struct avro_shape *parse_fixed(struct parser *ps, json_t *type, const char *namespace) {
    struct avro_shape *shape = declare(ps, SHAPE_FIXED, type, namespace);
    if (shape == NULL) return NULL;
    json_t *size = json_object_get(type, "size");
    shape->size = json_integer_value(size);
    if (!json_is_integer(size) || shape->size < 0 || shape->size > INT32_MAX)
        return refuse(ps, "a fixed of no valid size", shape->name);
    shape->empty = shape->size == 0;
    return shape;
}

/* An array or a map: ends with a count of 0, so never empty. */
static const struct avro_shape *parse_blocks(struct parser *ps, json_t *type, const char *namespace) {
    bool map = strcmp(json_string_value(json_object_get(type, "type")), "map") == 0;
    struct avro_shape *shape = shape_new(ps, map ? SHAPE_MAP : SHAPE_ARRAY, map ? "map" : "array");
    make_parts(ps, shape, 1);
    shape->parts[0] = parse_type(ps, json_object_get(type, map ? "values" : "items"), namespace);
    return shape->parts[0] == NULL ? NULL : shape;
}

static const struct avro_shape *parse_union(struct parser *ps, json_t *branches, const char *namespace) {
    if (json_array_size(branches) == 0) return refuse(ps, "a union of nothing in", namespace);
    struct avro_shape *shape = shape_new(ps, SHAPE_UNION, "union");
    make_parts(ps, shape, json_array_size(branches));
    json_t *branch;
    size_t i;
    json_array_foreach(branches, i, branch) {
        shape->parts[i] = parse_type(ps, branch, namespace);
        if (shape->parts[i] == NULL) return NULL;
        if (shape->parts[i]->kind == SHAPE_UNION)
            return refuse(ps, "a union directly in a union in", namespace);
    }
    return shape;
}

/* {"type": …}: a complex type, or a plain one with attributes. */
static const struct avro_shape *parse_object(struct parser *ps, json_t *type, const char *namespace) {
    static const struct {
        const char *name;
        const struct avro_shape *(*parse)(struct parser *ps, json_t *type, const char *namespace);
    } kinds[] = {
        {"record", parse_record}, {"enum", parse_enum},  {"fixed", parse_fixed},
        {"array", parse_blocks},  {"map", parse_blocks},
    };
    json_t *inner = json_object_get(type, "type");
    for (size_t i = 0; json_is_string(inner) && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, json_string_value(inner)) == 0) return kinds[i].parse(ps, type, namespace);
    const struct avro_shape *plain = parse_type(ps, inner, namespace);
    const char *logical = json_string_value(json_object_get(type, "logicalType"));
    if (plain == NULL || logical == NULL || plain->kind > SHAPE_STRING) return plain;
    struct avro_shape *shape = shape_new(ps, plain->kind, plain->name);
    *shape = *plain;
    shape->logical = copy(ps, logical);
    return shape;
}

static const struct avro_shape *parse_type(struct parser *ps, json_t *type, const char *namespace) {
    if (ps->depth == MAX_DEPTH) return refuse(ps, "types too deep within types in", namespace);
    ps->depth++;
    const struct avro_shape *shape = NULL;
    if (json_is_string(type))
        shape = parse_name(ps, json_string_value(type), namespace);
    else if (json_is_array(type))
        shape = parse_union(ps, type, namespace);
    else if (json_is_object(type))
        shape = parse_object(ps, type, namespace);
    else
        refuse(ps, "a type that is none in", namespace);
    ps->depth--;
    return shape;
}

const struct avro_shape *avro_shape_parse(struct arena *arena, const char *text, struct why *w) {
    struct parser *ps = arena_alloc(arena, sizeof *ps);
    *ps = (struct parser){.arena = arena, .w = w};
    size_t n = strnlen(text, MAX_TEXT + 1);
    if (n > MAX_TEXT) return refuse(ps, "longer than 128 KiB", "");
    json_error_t error;
    json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json == NULL) return refuse(ps, "no JSON", error.text);
    const struct avro_shape *shape = parse_type(ps, json, "");
    json_decref(json);
    if (shape != NULL && shape->kind != SHAPE_RECORD) return refuse(ps, "not a record", shape->name);
    return shape;
}

/* --- passing over --- */

static const uint8_t *skip(const struct avro_shape *shape, const uint8_t *p, const uint8_t *end, int depth);

/* Takes numbers in any length: what is passed over need not be as strictly written as what is read. */
static const uint8_t *skip_number(const uint8_t *p, const uint8_t *end, int64_t *v) {
    uint64_t zigzag = 0;
    p = avro_get_varint(p, end, &zigzag);
    *v = (int64_t)(zigzag >> 1 ^ -(zigzag & 1));
    return p;
}

static const uint8_t *skip_bytes(const uint8_t *p, const uint8_t *end, int64_t n) {
    return n < 0 || n > end - p ? NULL : p + n;
}

static const uint8_t *skip_text(const uint8_t *p, const uint8_t *end) {
    int64_t n;
    p = skip_number(p, end, &n);
    return p == NULL ? NULL : skip_bytes(p, end, n);
}

/* Blocks of items, each behind its count, until a count of 0. A count below 0 has the block's size in bytes
 * behind it. Items that take no bytes are not gone through: a few bytes can count 2^63 of them. */
static const uint8_t *skip_blocks(const struct avro_shape *shape, const uint8_t *p, const uint8_t *end,
                                  int depth) {
    const struct avro_shape *item = shape->parts[0];
    bool keys = shape->kind == SHAPE_MAP;
    int64_t count;
    while ((p = skip_number(p, end, &count)) != NULL && count != 0) {
        if (count < 0) {
            p = skip_text(p, end);
            count = 0;
        } else if (!keys && item->empty)
            count = 0;
        for (; p != NULL && count > 0; count--) {
            if (keys && (p = skip_text(p, end)) == NULL) return NULL;
            p = skip(item, p, end, depth);
        }
        if (p == NULL) return NULL;
    }
    return p;
}

static const uint8_t *skip_union(const struct avro_shape *shape, const uint8_t *p, const uint8_t *end,
                                 int depth) {
    int64_t branch;
    p = skip_number(p, end, &branch);
    if (p == NULL || branch < 0 || branch >= shape->count) return NULL;
    return skip(shape->parts[branch], p, end, depth);
}

static const uint8_t *skip_record(const struct avro_shape *shape, const uint8_t *p, const uint8_t *end,
                                  int depth) {
    for (int i = 0; p != NULL && i < shape->nsolid; i++)
        p = skip(shape->solid[i], p, end, depth);
    return p;
}

static const uint8_t *skip(const struct avro_shape *shape, const uint8_t *p, const uint8_t *end, int depth) {
    int64_t number;
    if (shape->empty) return p;
    if (depth == MAX_DEPTH) return NULL;
    switch (shape->kind) {
    case SHAPE_NULL:
        return p;
    case SHAPE_BOOLEAN:
        return skip_bytes(p, end, 1);
    case SHAPE_INT:
    case SHAPE_LONG:
    case SHAPE_ENUM:
        return skip_number(p, end, &number);
    case SHAPE_FLOAT:
        return skip_bytes(p, end, 4);
    case SHAPE_DOUBLE:
        return skip_bytes(p, end, 8);
    case SHAPE_BYTES:
    case SHAPE_STRING:
        return skip_text(p, end);
    case SHAPE_FIXED:
        return skip_bytes(p, end, shape->size);
    case SHAPE_ARRAY:
    case SHAPE_MAP:
        return skip_blocks(shape, p, end, depth + 1);
    case SHAPE_UNION:
        return skip_union(shape, p, end, depth + 1);
    case SHAPE_RECORD:
        return skip_record(shape, p, end, depth + 1);
    }
    return NULL;
}

const uint8_t *avro_shape_skip(const struct avro_shape *shape, const uint8_t *p, const uint8_t *end) {
    return skip(shape, p, end, 0);
}
