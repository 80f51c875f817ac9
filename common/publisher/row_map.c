#include "priv/row_map.h"

#include <string.h>

#include "avro_wire.h"

/* From Postgres's pg_type.dat; these never change. */
enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_FLOAT8 = 701,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_TIMESTAMPTZ = 1184,
    OID_UUID = 2950,
    OID_FIRST_USER = 16384, /* types made by users, `create type … as enum` among them */
};

static bool is_text(uint32_t type) {
    return type == OID_TEXT || type == OID_VARCHAR || type == OID_BPCHAR;
}

static bool fits(uint32_t type, enum avro_kind kind) {
    switch (kind) {
    case AVRO_STRING:
        return is_text(type);
    case AVRO_ENUM: /* Postgres sends the label of its own enums too, and a label is checked against the
                       symbols */
        return is_text(type) || type >= OID_FIRST_USER;
    case AVRO_UUID:
        return type == OID_UUID;
    case AVRO_LONG:
    case AVRO_INT:
        return type == OID_INT2 || type == OID_INT4 || type == OID_INT8;
    case AVRO_BOOL:
        return type == OID_BOOL;
    case AVRO_DOUBLE:
        return type == OID_FLOAT8;
    case AVRO_TIME:
        return type == OID_TIMESTAMPTZ;
    }
    return false;
}

static const struct avro_field *field_of(const struct avro_type *type, const char *column) {
    for (int i = 0; i < type->nfields; i++)
        if (strcmp(type->fields[i].column, column) == 0) return &type->fields[i];
    return NULL;
}

static bool has_field(const struct row_map *map, const struct avro_field *field) {
    for (int i = 0; i < map->ncolumns; i++)
        if (map->fields[i] == field) return true;
    return false;
}

enum status row_map_set(struct row_map *map, const struct topic *topic, const struct pgoutput_column *columns,
                        int n, struct why *w) {
    const struct avro_type *type = topic->type;
    *map = (struct row_map){.topic = topic, .ncolumns = n, .traceparent = -1, .tombstone = -1};
    for (int i = 0; i < n; i++) {
        const struct avro_field *field = map->fields[i] = field_of(type, columns[i].name);
        if (strcmp(columns[i].name, "traceparent") == 0 && is_text(columns[i].type)) map->traceparent = i;
        if (strcmp(columns[i].name, "tombstone") == 0 && columns[i].type == OID_BOOL) map->tombstone = i;
        if (field != NULL && !fits(columns[i].type, field->kind))
            return why(w, ST_INVALID, "column %s has type %u, which does not fit field %s of %s",
                       columns[i].name, columns[i].type, field->name, type->name);
    }
    for (int i = 0; i < type->nfields; i++)
        if (!type->fields[i].nullable && !has_field(map, &type->fields[i]))
            return why(w, ST_INVALID, "field %s of %s must have a value, and there is no column %s",
                       type->fields[i].name, type->name, type->fields[i].column);
    return ST_OK;
}

/* An integer of any width; false: the bytes are none. */
static bool read_int(const struct pgoutput_value *v, int64_t *out) {
    switch (v->n) {
    case 2:
        *out = (int16_t)pgoutput_u16(v->bytes);
        return true;
    case 4:
        *out = (int32_t)pgoutput_u32(v->bytes);
        return true;
    case 8:
        *out = (int64_t)pgoutput_u64(v->bytes);
        return true;
    default:
        return false;
    }
}

static int symbol_of(const struct avro_field *field, struct str text) {
    for (int i = 0; field->symbols[i] != NULL; i++)
        if (str_eq(str_of(field->symbols[i]), text)) return i;
    return -1;
}

static bool fill_int(const struct avro_field *field, const struct pgoutput_value *v, uint8_t *to) {
    int64_t wide;
    if (!read_int(v, &wide)) return false;
    if (field->kind == AVRO_TIME) {
        wide = pgoutput_unix_us(wide);
        if (wide < AVRO_TIME_FIRST * 1000 || wide > AVRO_TIME_LAST * 1000 + 999)
            return false; /* infinity, for one */
    }
    if (field->kind != AVRO_INT) {
        memcpy(to, &wide, sizeof wide);
        return true;
    }
    int32_t narrow = (int32_t)wide;
    memcpy(to, &narrow, sizeof narrow);
    return narrow == wide;
}

static bool fill_enum(const struct avro_field *field, struct str text, uint8_t *to) {
    int symbol = symbol_of(field, text);
    memcpy(to, &symbol, sizeof symbol);
    return symbol >= 0;
}

/* False: the value is not one of the field's kind. */
static bool fill(const struct avro_field *field, const struct pgoutput_value *v, uint8_t *to) {
    struct str text = {(const char *)v->bytes, (size_t)v->n};
    if (v->text && field->kind != AVRO_STRING && field->kind != AVRO_ENUM) return false;
    switch (field->kind) {
    case AVRO_STRING:
        memcpy(to, &text, sizeof text);
        return true;
    case AVRO_ENUM:
        return fill_enum(field, text, to);
    case AVRO_UUID:
        if (v->n != sizeof(struct uuid)) return false;
        memcpy(to, v->bytes, sizeof(struct uuid));
        return true;
    case AVRO_LONG:
    case AVRO_INT:
    case AVRO_TIME:
        return fill_int(field, v, to);
    case AVRO_BOOL:
        if (v->n != 1) return false;
        *(bool *)to = *v->bytes != 0;
        return true;
    case AVRO_DOUBLE: {
        if (v->n != sizeof(double)) return false;
        uint64_t bits = pgoutput_u64(v->bytes);
        memcpy(to, &bits, sizeof bits);
        return true;
    }
    }
    return false;
}

static enum status fill_field(const struct row_map *map, const struct avro_field *field,
                              const struct pgoutput_value *v, uint8_t *event, struct why *w) {
    if (v->n >= 0) {
        if (field->nullable) *(bool *)(event + field->has_offset) = true;
        if (fill(field, v, event + field->offset)) return ST_OK;
        return why(w, ST_INVALID, "column %s has a value that does not fit field %s of %s", field->column,
                   field->name, map->topic->type->name);
    }
    if (field->nullable) return ST_OK;
    return why(w, ST_INVALID, "column %s is null, but field %s of %s must have a value", field->column,
               field->name, map->topic->type->name);
}

enum status row_map_fill(const struct row_map *map, const struct pgoutput_value *values, int n, void *event,
                         struct row_beside *beside, struct why *w) {
    *beside = (struct row_beside){0};
    if (n != map->ncolumns)
        return why(w, ST_INVALID, "a row of %s has %d columns, not %d", map->topic->name, n, map->ncolumns);
    memset(event, 0, map->topic->type->size);
    for (int i = 0; i < n; i++) {
        if (map->fields[i] == NULL) continue;
        enum status st = fill_field(map, map->fields[i], &values[i], event, w);
        if (st != ST_OK) return st;
    }
    if (map->traceparent >= 0 && values[map->traceparent].n > 0) {
        const struct pgoutput_value *v = &values[map->traceparent];
        beside->traceparent = (struct str){(const char *)v->bytes, (size_t)v->n};
    }
    beside->tombstone =
        map->tombstone >= 0 && values[map->tombstone].n == 1 && *values[map->tombstone].bytes != 0;
    return ST_OK;
}
