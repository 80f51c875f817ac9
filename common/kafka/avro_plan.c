/* How data of a writer's schema becomes the reader's struct: one step for each field of the writer, in its
 * order. A step reads into the struct, or skips. Every event starts as a copy of `initial`, which has the
 * values of fields that the writer does not have. */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "avro.h"
#include "avro_wire.h"
#include "mem.h"
#include "priv/avro_shape.h"

/* How the bytes of one branch become the member of the struct. */
enum how {
    HOW_NEVER, /* the reader has no place for it */
    HOW_NULL,
    HOW_STRING,
    HOW_UUID,
    HOW_INT,
    HOW_LONG,
    HOW_INT_AS_LONG,
    HOW_LONG_AS_DOUBLE, /* also int */
    HOW_FLOAT_AS_DOUBLE,
    HOW_DOUBLE,
    HOW_BOOL,
    HOW_MILLIS,
    HOW_MICROS,
    HOW_ENUM,
};

struct branch {
    enum how how;
    int nsymbols;
    const int *symbols; /* HOW_ENUM: the reader's index of each of the writer's, -1: none */
};

struct step {
    const struct avro_shape *shape; /* passed over, when there is no field */
    const struct avro_field *field;
    bool is_union;
    int nbranches;
    const struct branch *branches;
};

struct avro_plan {
    const struct avro_type *reader;
    struct arena arena; /* of all below */
    bool same;          /* written exactly as the reader writes: its own decoder serves */
    int nsteps;
    struct step *steps;
    uint8_t *initial;
};

/* What is known while a plan is made. */
struct maker {
    struct avro_plan *plan;
    json_t *schema; /* the reader's, which has what the field table has not: aliases and defaults */
    const struct avro_shape *writer;
    struct why *w;
};

static json_t *reader_field(const struct maker *m, const struct avro_field *field) {
    return json_array_get(json_object_get(m->schema, "fields"), (size_t)(field - m->plan->reader->fields));
}

/* The reader's type of a field, the other than null if it can be null. */
static json_t *reader_type(const struct maker *m, const struct avro_field *field) {
    json_t *type = json_object_get(reader_field(m, field), "type");
    return field->nullable ? json_array_get(type, 1) : type;
}

static bool has_alias(json_t *named, const char *name) {
    json_t *alias;
    size_t i;
    json_array_foreach(json_object_get(named, "aliases"), i, alias) {
        if (strcmp(avro_unqualified(json_string_value(alias)), avro_unqualified(name)) == 0) return true;
    }
    return false;
}

static bool same_name(json_t *named, const char *name) {
    const char *own = json_string_value(json_object_get(named, "name"));
    return strcmp(avro_unqualified(own), avro_unqualified(name)) == 0 || has_alias(named, name);
}

/* --- resolution: which of the writer's fields is this one, and how is it read --- */

static int symbol_index(const char *const *symbols, const char *symbol) {
    for (int i = 0; symbol != NULL && symbols[i] != NULL; i++)
        if (strcmp(symbols[i], symbol) == 0) return i;
    return -1;
}

static struct branch resolve_enum(struct maker *m, const struct avro_field *field,
                                  const struct avro_shape *shape) {
    json_t *type = reader_type(m, field);
    if (!same_name(type, shape->name)) return (struct branch){.how = HOW_NEVER};
    int other = symbol_index(field->symbols, json_string_value(json_object_get(type, "default")));
    int *symbols = arena_alloc(&m->plan->arena, (size_t)shape->count * sizeof *symbols);
    for (int i = 0; i < shape->count; i++) {
        int own = symbol_index(field->symbols, shape->labels[i]);
        symbols[i] = own >= 0 ? own : other;
    }
    return (struct branch){HOW_ENUM, shape->count, symbols};
}

/* A time is a long by Avro's rules, whatever its unit; in another unit it would be wrong by a factor of
 * 1,000. */
static enum how resolve_time(const struct avro_shape *shape) {
    if (shape->kind == SHAPE_INT && *shape->logical == '\0') return HOW_MILLIS;
    if (shape->kind != SHAPE_LONG) return HOW_NEVER;
    if (*shape->logical == '\0' || strcmp(shape->logical, "timestamp-millis") == 0) return HOW_MILLIS;
    return strcmp(shape->logical, "timestamp-micros") == 0 ? HOW_MICROS : HOW_NEVER;
}

static enum how resolve_double(const struct avro_shape *shape) {
    switch (shape->kind) {
    case SHAPE_INT:
    case SHAPE_LONG:
        return HOW_LONG_AS_DOUBLE;
    case SHAPE_FLOAT:
        return HOW_FLOAT_AS_DOUBLE;
    case SHAPE_DOUBLE:
        return HOW_DOUBLE;
    default:
        return HOW_NEVER;
    }
}

static enum how resolve_plain(const struct avro_field *field, const struct avro_shape *shape) {
    bool text = shape->kind == SHAPE_STRING || shape->kind == SHAPE_BYTES;
    switch (field->kind) {
    case AVRO_STRING:
        return text ? HOW_STRING : HOW_NEVER;
    case AVRO_UUID:
        return text ? HOW_UUID : HOW_NEVER;
    case AVRO_INT:
        return shape->kind == SHAPE_INT ? HOW_INT : HOW_NEVER;
    case AVRO_LONG:
        return shape->kind == SHAPE_LONG ? HOW_LONG : shape->kind == SHAPE_INT ? HOW_INT_AS_LONG : HOW_NEVER;
    case AVRO_BOOL:
        return shape->kind == SHAPE_BOOLEAN ? HOW_BOOL : HOW_NEVER;
    case AVRO_DOUBLE:
        return resolve_double(shape);
    case AVRO_TIME:
        return resolve_time(shape);
    case AVRO_ENUM:
        break;
    }
    return HOW_NEVER;
}

static struct branch resolve(struct maker *m, const struct avro_field *field,
                             const struct avro_shape *shape) {
    if (shape->kind == SHAPE_NULL) return (struct branch){.how = field->nullable ? HOW_NULL : HOW_NEVER};
    if (shape->kind == SHAPE_ENUM && field->kind == AVRO_ENUM) return resolve_enum(m, field, shape);
    return (struct branch){.how = resolve_plain(field, shape)};
}

static bool writes(const struct maker *m, const char *name) {
    for (int i = 0; i < m->writer->count; i++)
        if (strcmp(m->writer->labels[i], name) == 0) return true;
    return false;
}

/* An alias counts only where the writer has no field of the name itself. */
static const struct avro_field *find_field(const struct maker *m, const char *name) {
    const struct avro_type *reader = m->plan->reader;
    for (int i = 0; i < reader->nfields; i++)
        if (strcmp(reader->fields[i].name, name) == 0) return &reader->fields[i];
    for (int i = 0; i < reader->nfields; i++) {
        const struct avro_field *field = &reader->fields[i];
        if (has_alias(reader_field(m, field), name) && !writes(m, field->name)) return field;
    }
    return NULL;
}

static bool make_step(struct maker *m, struct step *step, int index) {
    const struct avro_shape *shape = m->writer->parts[index];
    *step = (struct step){.shape = shape, .field = find_field(m, m->writer->labels[index])};
    if (step->field == NULL) return true;
    step->is_union = shape->kind == SHAPE_UNION;
    step->nbranches = step->is_union ? shape->count : 1;
    struct branch *branches = arena_alloc(&m->plan->arena, (size_t)step->nbranches * sizeof *branches);
    step->branches = branches;
    bool any = false;
    for (int i = 0; i < step->nbranches; i++) {
        branches[i] = resolve(m, step->field, step->is_union ? shape->parts[i] : shape);
        any = any || branches[i].how != HOW_NEVER;
    }
    if (!any)
        why(m->w, ST_INVALID, "%s: field %s: cannot be read from %s %s", m->plan->reader->name,
            step->field->name, shape->name, shape->logical);
    return any;
}

/* --- what the writer does not have --- */

static void put_default(struct maker *m, const struct avro_field *field, json_t *value) {
    uint8_t *at = m->plan->initial + field->offset;
    if (json_is_null(value)) return; /* zeroed: has_FIELD is false */
    switch (field->kind) {
    case AVRO_STRING:
        *(struct str *)at = arena_str(&m->plan->arena, str_of(json_string_value(value)));
        break;
    case AVRO_UUID:
        uuid_parse(str_of(json_string_value(value)), (struct uuid *)at);
        break;
    case AVRO_INT:
        *(int32_t *)at = (int32_t)json_integer_value(value);
        break;
    case AVRO_LONG:
        *(int64_t *)at = json_integer_value(value);
        break;
    case AVRO_TIME:
        *(int64_t *)at = json_integer_value(value) * 1000;
        break;
    case AVRO_BOOL:
        *(bool *)at = json_is_true(value);
        break;
    case AVRO_DOUBLE:
        *(double *)at = json_number_value(value);
        break;
    case AVRO_ENUM:
        *(int *)at = symbol_index(field->symbols, json_string_value(value));
        break;
    }
}

static bool make_defaults(struct maker *m) {
    const struct avro_type *reader = m->plan->reader;
    for (int i = 0; i < reader->nfields; i++) {
        const struct avro_field *field = &reader->fields[i];
        int written = 0;
        for (int j = 0; j < m->plan->nsteps; j++)
            written += m->plan->steps[j].field == field;
        json_t *value = json_object_get(reader_field(m, field), "default");
        if (written == 0 && value != NULL)
            put_default(m, field, value);
        else if (written != 1) {
            why(m->w, ST_INVALID, "%s: field %s: %s", reader->name, field->name,
                written == 0 ? "not in the writer's schema, and without a default"
                             : "twice in the writer's schema");
            return false;
        }
    }
    return true;
}

/* --- a writer that writes exactly what the reader would --- */

static bool same_branch(const struct avro_field *field, const struct branch *branch) {
    static const enum how own[] = {
        [AVRO_STRING] = HOW_STRING, [AVRO_UUID] = HOW_UUID, [AVRO_LONG] = HOW_LONG,
        [AVRO_INT] = HOW_INT,       [AVRO_BOOL] = HOW_BOOL, [AVRO_DOUBLE] = HOW_DOUBLE,
        [AVRO_TIME] = HOW_MILLIS,   [AVRO_ENUM] = HOW_ENUM,
    };
    if (branch->how != own[field->kind]) return false;
    for (int i = 0; i < branch->nsymbols; i++)
        if (branch->symbols[i] != i) return false;
    return field->kind != AVRO_ENUM || field->symbols[branch->nsymbols] == NULL;
}

static bool same_steps(const struct avro_plan *plan) {
    if (plan->nsteps != plan->reader->nfields) return false;
    for (int i = 0; i < plan->nsteps; i++) {
        const struct step *step = &plan->steps[i];
        if (step->field != &plan->reader->fields[i] || step->is_union != step->field->nullable) return false;
        if (step->is_union && (step->nbranches != 2 || step->branches[0].how != HOW_NULL)) return false;
        if (!same_branch(step->field, &step->branches[step->nbranches - 1])) return false;
    }
    return true;
}

/* --- making --- */

static bool make(struct maker *m, const char *writer_schema) {
    struct avro_plan *plan = m->plan;
    m->writer = avro_shape_parse(&plan->arena, writer_schema, m->w);
    if (m->writer == NULL) return false;
    if (!same_name(m->schema, m->writer->name)) {
        why(m->w, ST_INVALID, "%s: the writer's schema is of %.100s", plan->reader->name, m->writer->name);
        return false;
    }
    plan->nsteps = m->writer->count;
    plan->steps = arena_alloc(&plan->arena, (size_t)plan->nsteps * sizeof *plan->steps);
    plan->initial = arena_alloc(&plan->arena, plan->reader->size);
    for (int i = 0; i < plan->nsteps; i++)
        if (!make_step(m, &plan->steps[i], i)) return false;
    if (!make_defaults(m)) return false;
    plan->same = same_steps(plan);
    return true;
}

struct avro_plan *avro_plan_new(const struct avro_type *reader, const char *writer_schema, struct why *w) {
    struct avro_plan *plan = mem_alloc(sizeof *plan);
    plan->reader = reader;
    struct maker m = {.plan = plan, .schema = json_loads(reader->schema, 0, NULL), .w = w};
    if (m.schema == NULL) abort(); /* the generator wrote it */
    bool made = make(&m, writer_schema);
    json_decref(m.schema);
    if (made) return plan;
    avro_plan_free(plan);
    return NULL;
}

bool avro_other_record(const struct avro_type *reader, const char *schema) {
    struct arena arena = {0};
    struct why ignored;
    const struct avro_shape *shape = avro_shape_parse(&arena, schema, &ignored);
    json_t *own = json_loads(reader->schema, 0, NULL);
    bool other = shape != NULL && !same_name(own, shape->name);
    json_decref(own);
    arena_free(&arena);
    return other;
}

void avro_plan_free(struct avro_plan *plan) {
    if (plan == NULL) return;
    arena_free(&plan->arena);
    free(plan);
}

/* --- reading --- */

static const uint8_t *read_as_long(const uint8_t *p, const uint8_t *end, int64_t *out) {
    int32_t v = 0;
    p = avro_get_int(p, end, &v);
    *out = v;
    return p;
}

static const uint8_t *read_as_double(enum how how, const uint8_t *p, const uint8_t *end, double *out) {
    if (how == HOW_LONG_AS_DOUBLE) {
        int64_t v = 0;
        p = avro_get_long(p, end, &v);
        *out = (double)v;
        return p;
    }
    float v;
    if (end - p < (ptrdiff_t)sizeof v) return NULL;
    memcpy(&v, p, sizeof v);
    *out = (double)v;
    return p + sizeof v;
}

static const uint8_t *read_micros(const uint8_t *p, const uint8_t *end, int64_t *out) {
    p = avro_get_long(p, end, out);
    return p == NULL || *out < AVRO_TIME_FIRST * 1000 || *out > AVRO_TIME_LAST * 1000 + 999 ? NULL : p;
}

/* -1: the reader has no such symbol. */
static const uint8_t *read_enum(const struct branch *branch, const uint8_t *p, const uint8_t *end, int *out) {
    int index;
    p = avro_get_index(p, end, branch->nsymbols, &index);
    if (p != NULL) *out = branch->symbols[index];
    return p;
}

static const uint8_t *read_value(const struct branch *branch, const uint8_t *p, const uint8_t *end,
                                 void *at) {
    switch (branch->how) {
    case HOW_NEVER:
        return NULL;
    case HOW_NULL:
        return p;
    case HOW_STRING:
        return avro_get_string(p, end, at);
    case HOW_UUID:
        return avro_get_uuid(p, end, at);
    case HOW_INT:
        return avro_get_int(p, end, at);
    case HOW_LONG:
        return avro_get_long(p, end, at);
    case HOW_INT_AS_LONG:
        return read_as_long(p, end, at);
    case HOW_LONG_AS_DOUBLE:
    case HOW_FLOAT_AS_DOUBLE:
        return read_as_double(branch->how, p, end, at);
    case HOW_DOUBLE:
        return avro_get_double(p, end, at);
    case HOW_BOOL:
        return avro_get_bool(p, end, at);
    case HOW_MILLIS:
        return avro_get_time(p, end, at);
    case HOW_MICROS:
        return read_micros(p, end, at);
    case HOW_ENUM:
        return read_enum(branch, p, end, at);
    }
    return NULL;
}

/* Sets *known to false when the value has no place in the reader's struct; it is passed over. */
static const uint8_t *read_field(const struct step *step, const uint8_t *p, const uint8_t *end,
                                 uint8_t *event, bool *known) {
    int index = 0;
    if (step->is_union && (p = avro_get_index(p, end, step->nbranches, &index)) == NULL) return NULL;
    const struct branch *branch = &step->branches[index];
    void *at = event + step->field->offset;
    if (branch->how == HOW_NEVER) {
        *known = false;
        return avro_shape_skip(step->is_union ? step->shape->parts[index] : step->shape, p, end);
    }
    if (step->field->nullable) *(bool *)(event + step->field->has_offset) = branch->how != HOW_NULL;
    p = read_value(branch, p, end, at);
    if (p != NULL && branch->how == HOW_ENUM && *(int *)at < 0) *known = false;
    return p;
}

enum status avro_plan_decode(const struct avro_plan *plan, const uint8_t *bytes, size_t n, void *event) {
    if (plan->same) return plan->reader->decode(bytes, n, event);
    if (n == 0) return ST_INVALID; /* bytes may be NULL; every type has a `type`, so no record is empty */
    memcpy(event, plan->initial, plan->reader->size);
    const uint8_t *p = bytes, *end = bytes + n;
    bool known = true;
    for (int i = 0; p != NULL && i < plan->nsteps; i++) {
        const struct step *step = &plan->steps[i];
        p = step->field == NULL ? avro_shape_skip(step->shape, p, end)
                                : read_field(step, p, end, event, &known);
    }
    if (p != end) return ST_INVALID;
    return known ? ST_OK : ST_AGAIN;
}
