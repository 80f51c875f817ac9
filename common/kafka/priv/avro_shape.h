/* avro_shape: a schema of any kind, as read from its JSON text, and how to pass over a value of it.
 *
 * The text is from outside, so its size, its depth and the number of its names are limited.
 * Shapes live in the arena they were made in and are never changed afterwards, so any thread may use them. */
#pragma once

#ifndef KAFKA_PRIV
#error "private to common/kafka"
#endif

#include <jansson.h>
#include <stdint.h>

#include "arena.h"
#include "status.h"

enum shape_kind {
    SHAPE_NULL,
    SHAPE_BOOLEAN,
    SHAPE_INT,
    SHAPE_LONG,
    SHAPE_FLOAT,
    SHAPE_DOUBLE,
    SHAPE_BYTES,
    SHAPE_STRING,
    SHAPE_FIXED,
    SHAPE_ENUM,
    SHAPE_ARRAY,
    SHAPE_MAP,
    SHAPE_UNION,
    SHAPE_RECORD,
};

struct avro_shape {
    enum shape_kind kind;
    bool empty;          /* no value of it takes a byte */
    const char *name;    /* full name of a named type, else of the kind */
    const char *logical; /* logicalType, or "" */
    int64_t size;        /* of SHAPE_FIXED */
    int count;           /* of parts and labels */
    const struct avro_shape *
        *parts;          /* fields of a record, branches of a union, the one item of an array or map */
    const char **labels; /* names of fields, symbols of an enum */
    const struct avro_shape *
        *solid; /* of a record: the parts that are not empty, all that passing over has to see */
    int nsolid;
};

/* A record's schema from its text. NULL: why says what is wrong with it. */
const struct avro_shape *avro_shape_parse(struct arena *arena, const char *text, struct why *w);

/* Where a value of the shape ends, or NULL if it is malformed. Takes time in proportion to the bytes passed
 * over. */
const uint8_t *avro_shape_skip(const struct avro_shape *shape, const uint8_t *p, const uint8_t *end);

/* The part of a full name behind its namespace. */
const char *avro_unqualified(const char *name);
