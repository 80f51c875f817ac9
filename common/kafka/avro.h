/* avro: types of the generated code (build/…/events.h, by tools/avrogen.py from schemas/avro). Constant data
 * and functions without state: any thread.
 *
 * A schema is a flat record. Each .avsc becomes a C struct, an encoder, a bounds-checked decoder and a field
 * table. The decoder fills a struct whose strs point into the record's bytes. Data written under another
 * version of the schema, older or newer, is read by an `avro_plan`, which is made once from the writer's
 * schema by Avro's resolution rules: fields by name, promotion, defaults, skipping what the reader does not
 * know. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "str.h"
#include "uuid.h"

enum avro_kind {              /* and the C type in the struct */
                 AVRO_STRING, /* struct str */
                 AVRO_UUID,   /* struct uuid; 36 characters on the wire (logicalType uuid on string) */
                 AVRO_LONG,   /* int64_t */
                 AVRO_INT,    /* int32_t */
                 AVRO_BOOL,   /* bool */
                 AVRO_DOUBLE, /* double */
                 AVRO_TIME,   /* int64_t unix microseconds; timestamp-millis on the wire */
                 AVRO_ENUM,   /* enum generated from the symbols (int) */
};

struct avro_field {
    const char *name;   /* "occurredAt" */
    const char *column; /* "occurred_at", in the service's event log */
    enum avro_kind kind;
    bool nullable; /* union ["null", T]: the struct has bool has_FIELD beside it */
    uint16_t offset, has_offset;
    const char *const *symbols; /* AVRO_ENUM, NULL-terminated */
};

struct avro_type {
    const char *name;   /* of the record */
    const char *schema; /* the JSON text registered */
    const struct avro_field *fields;
    int nfields;
    size_t size; /* of the struct */
    /* Writes at most cap bytes; returns the length, or 0 when it does not fit. */
    size_t (*encode)(const void *event, uint8_t *out, size_t cap);
    /* ST_OK or ST_INVALID. All of the n bytes must be used. */
    enum status (*decode)(const uint8_t *bytes, size_t n, void *event);
    size_t (*max_size)(const void *event); /* enough for encode */
};

/* One topic, from schemas/avro/topics.json. The key is the text of the named field, a uuid or a
 * string. */
struct topic {
    const char *name; /* the subject is NAME-value */
    const struct avro_type *type;
    int key_field;
    int type_field; /* the `type` enum */
    int partitions;
};

/* --- reading other versions --- */
struct avro_plan;
/* NULL: the writer's schema cannot be read as this type; why names the field. */
struct avro_plan *avro_plan_new(const struct avro_type *reader, const char *writer_schema, struct why *w);
void avro_plan_free(struct avro_plan *plan);
/* Whether a schema is of another record: no version of this one. One that cannot be parsed may be. */
bool avro_other_record(const struct avro_type *reader, const char *schema);
/* As the type's own decode, but strs that the writer did not write are defaults, and live with the plan.
 * ST_AGAIN: well formed, with a value that this version has no place for (a new symbol of an enum); a newer
 * one may read it. */
enum status avro_plan_decode(const struct avro_plan *plan, const uint8_t *bytes, size_t n, void *event);
