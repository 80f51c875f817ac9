/* libavro_peer: Apache's C library doing what the generated code does, through our field tables: the oracle
 * of the tests and the peer of the benchmark. It has no place in production. */
#pragma once

/* Its enum of types shares names with ours; its avro.h shares even the file's name. */
#define AVRO_STRING LIBAVRO_STRING
#define AVRO_DOUBLE LIBAVRO_DOUBLE
#define AVRO_ENUM   LIBAVRO_ENUM
#include <avro/basics.h>
#include <avro/errors.h>
#include <avro/generic.h>
#include <avro/io.h>
#include <avro/schema.h>
#include <avro/value.h>
#undef AVRO_STRING
#undef AVRO_DOUBLE
#undef AVRO_ENUM

#include <stdio.h>
#include <stdlib.h>

#include "avro.h"
#include "avro_wire.h"

enum { PEER_RECORD = 8192 };

static inline void peer_must(int result) {
    if (result == 0) return;
    fprintf(stderr, "libavro: %s\n", avro_strerror());
    abort();
}

/* libavro's side of a type: its schema, a value to fill or read, and both ends of a buffer. */
struct peer {
    const struct avro_type *type;
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
    char bytes[PEER_RECORD];
    avro_writer_t writer;
    avro_reader_t reader;
};

static inline struct peer *peer_new(const struct avro_type *type) {
    struct peer *p = calloc(1, sizeof *p);
    p->type = type;
    peer_must(avro_schema_from_json_length(type->schema, strlen(type->schema), &p->schema));
    p->class = avro_generic_class_from_schema(p->schema);
    avro_generic_value_new(p->class, &p->value);
    p->writer = avro_writer_memory(p->bytes, sizeof p->bytes);
    p->reader = avro_reader_memory(p->bytes, sizeof p->bytes);
    return p;
}

static inline void peer_free(struct peer *p) {
    avro_reader_free(p->reader);
    avro_writer_free(p->writer);
    avro_value_decref(&p->value);
    avro_value_iface_decref(p->class);
    avro_schema_decref(p->schema);
    free(p);
}

static inline void peer_set(avro_value_t *to, const struct avro_field *field, const uint8_t *at) {
    char text[PEER_RECORD];
    struct str s = {text, UUID_TEXT};
    switch (field->kind) {
    case AVRO_UUID:
        uuid_format((const struct uuid *)at, text);
        break;
    case AVRO_STRING:
        s = *(const struct str *)at;
        break;
    case AVRO_LONG:
        avro_value_set_long(to, *(const int64_t *)at);
        return;
    case AVRO_INT:
        avro_value_set_int(to, *(const int32_t *)at);
        return;
    case AVRO_BOOL:
        avro_value_set_boolean(to, *(const bool *)at);
        return;
    case AVRO_DOUBLE:
        avro_value_set_double(to, *(const double *)at);
        return;
    case AVRO_TIME:
        avro_value_set_long(to, avro_time_ms(*(const int64_t *)at));
        return;
    case AVRO_ENUM:
        avro_value_set_enum(to, *(const int *)at);
        return;
    }
    memmove(text, s.p, s.n);
    text[s.n] = '\0';
    peer_must(avro_value_set_string_len(to, text, s.n + 1));
}

/* NOLINTBEGIN(clang-analyzer-core.NullDereference): of its macros the analyzer thinks that a type may lack
 * the function that makes a value */
/* What peer_set would have got it from. */
static inline void peer_get(const avro_value_t *from, const struct avro_field *field, uint8_t *at) {
    const char *text = NULL;
    size_t n = 0;
    int flag = 0;
    switch (field->kind) {
    case AVRO_UUID:
        avro_value_get_string(from, &text, &n);
        if (!uuid_parse((struct str){text, n - 1}, (struct uuid *)at)) abort();
        break;
    case AVRO_STRING:
        avro_value_get_string(from, &text, &n);
        *(struct str *)at = (struct str){text, n - 1};
        break;
    case AVRO_LONG:
        avro_value_get_long(from, (int64_t *)at);
        break;
    case AVRO_INT:
        avro_value_get_int(from, (int32_t *)at);
        break;
    case AVRO_BOOL:
        avro_value_get_boolean(from, &flag);
        *(bool *)at = flag != 0;
        break;
    case AVRO_DOUBLE:
        avro_value_get_double(from, (double *)at);
        break;
    case AVRO_TIME:
        avro_value_get_long(from, (int64_t *)at);
        *(int64_t *)at *= 1000;
        break;
    case AVRO_ENUM:
        avro_value_get_enum(from, (int *)at);
        break;
    }
}

/* libavro's encoding of event, in p->bytes. */
static inline size_t peer_encode(struct peer *p, const uint8_t *event) {
    avro_value_reset(&p->value);
    for (int i = 0; i < p->type->nfields; i++) {
        const struct avro_field *field = &p->type->fields[i];
        avro_value_t member, branch;
        peer_must(avro_value_get_by_index(&p->value, (size_t)i, &member, NULL));
        bool null = field->nullable && !event[field->has_offset];
        if (field->nullable) {
            peer_must(avro_value_set_branch(&member, null ? 0 : 1, &branch));
            member = branch;
        }
        if (!null) peer_set(&member, field, event + field->offset);
    }
    avro_writer_memory_set_dest(p->writer, p->bytes, sizeof p->bytes);
    peer_must(avro_value_write(p->writer, &p->value));
    return (size_t)avro_writer_tell(p->writer);
}

/* libavro's reading of n bytes. False: it refuses them, or leaves some. The event's strs are libavro's. */
static inline bool peer_decode(struct peer *p, const uint8_t *bytes, size_t n, uint8_t *event) {
    char none;
    avro_reader_memory_set_source(p->reader, (const char *)bytes, (int64_t)n);
    if (avro_value_read(p->reader, &p->value) != 0 || avro_read(p->reader, &none, 1) == 0) return false;
    for (int i = 0; i < p->type->nfields; i++) {
        const struct avro_field *field = &p->type->fields[i];
        avro_value_t member, branch;
        avro_value_get_by_index(&p->value, (size_t)i, &member, NULL);
        int which = 1;
        if (field->nullable) {
            avro_value_get_discriminant(&member, &which);
            avro_value_get_current_branch(&member, &branch);
            member = branch;
            event[field->has_offset] = which == 1;
        }
        if (which == 1) peer_get(&member, field, event + field->offset);
    }
    return true;
}
/* NOLINTEND(clang-analyzer-core.NullDereference) */
