/* avro_driver: the event encoding and the registry client, asked from outside: a request a line, an answer a
 * line, JSON.
 *
 *     {"topic", "bytes": HEX}                    decode by the own schema
 *     {"topic", "bytes": HEX, "schema": TEXT}    … by the writer's
 *     {"topic", "bytes": HEX, "registry": URL}   … with the schema id in front, by what the registry has
 *     {"subject", "schema": TEXT, "registry": URL}   register
 *
 * Answers {"status", "why"}, and with an event its fields and "bytes", what it is when written again; or with
 * a schema its "id". */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "avro.h"
#include "events.h"
#include "registry.h"
#include "wire.h"

static const char *text_of(json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static const struct topic *topic_named(const char *name) {
    for (int i = 0; event_topics[i] != NULL; i++)
        if (strcmp(event_topics[i]->name, name) == 0) return event_topics[i];
    fprintf(stderr, "no such topic: %s\n", name);
    exit(64);
}

/* Exactly as many bytes as there are, so that a sanitizer sees a read behind them. */
static uint8_t *from_hex(const char *hex, size_t *n) {
    *n = strlen(hex) / 2;
    uint8_t *bytes = malloc(*n + (*n == 0));
    for (size_t i = 0; i < *n; i++)
        if (sscanf(hex + 2 * i, "%2hhx", &bytes[i]) != 1) abort();
    return bytes;
}

static json_t *to_hex(const uint8_t *bytes, size_t n) {
    char *hex = malloc(2 * n + 1);
    hex[0] = '\0';
    for (size_t i = 0; i < n; i++)
        sprintf(hex + 2 * i, "%02x", bytes[i]);
    json_t *text = json_string(hex);
    free(hex);
    return text;
}

static json_t *field_json(const struct avro_field *field, const uint8_t *event) {
    const uint8_t *at = event + field->offset;
    char id[UUID_TEXT];
    if (field->nullable && !event[field->has_offset]) return json_null();
    switch (field->kind) {
    case AVRO_STRING:
        return json_stringn(((const struct str *)at)->p, ((const struct str *)at)->n);
    case AVRO_UUID:
        uuid_format((const struct uuid *)at, id);
        return json_stringn(id, sizeof id);
    case AVRO_LONG:
    case AVRO_TIME:
        return json_integer(*(const int64_t *)at);
    case AVRO_INT:
        return json_integer(*(const int32_t *)at);
    case AVRO_BOOL:
        return json_boolean(*(const bool *)at);
    case AVRO_DOUBLE:
        return json_real(*(const double *)at);
    case AVRO_ENUM:
        return json_string(field->symbols[*(const int *)at]);
    }
    return NULL;
}

static void show_event(json_t *answer, const struct avro_type *type, const uint8_t *event) {
    json_t *fields = json_object();
    for (int i = 0; i < type->nfields; i++)
        json_object_set_new(fields, type->fields[i].name, field_json(&type->fields[i], event));
    size_t cap = type->max_size(event);
    uint8_t *bytes = malloc(cap);
    json_object_set_new(answer, "event", fields);
    json_object_set_new(answer, "bytes", to_hex(bytes, type->encode(event, bytes, cap)));
    free(bytes);
}

static enum status decode_written(const struct avro_type *type, const char *schema, const uint8_t *bytes,
                                  size_t n, uint8_t *event, json_t *answer, struct why *w) {
    struct avro_plan *plan = avro_plan_new(type, schema, w);
    if (plan == NULL) return ST_INVALID;
    enum status st = avro_plan_decode(plan, bytes, n, event);
    if (st == ST_OK) show_event(answer, type, event); /* its defaults are the plan's */
    avro_plan_free(plan);
    return st;
}

/* As a consumer does: what is lost is tried again. */
static enum status decode_wire(const struct avro_type *type, const char *url, const uint8_t *bytes, size_t n,
                               uint8_t *event, json_t *answer, struct why *w) {
    struct registry *registry = registry_new(url);
    struct wire_decoder *decoder = wire_decoder_new(registry, type, 1000);
    enum status st;
    do
        st = wire_decode(decoder, bytes, n, event, w);
    while (st == ST_LOST);
    if (st == ST_OK) show_event(answer, type, event);
    wire_decoder_free(decoder);
    registry_free(registry);
    return st;
}

static enum status decode(json_t *request, json_t *answer, struct why *w) {
    const struct avro_type *type = topic_named(text_of(request, "topic"))->type;
    const char *schema = text_of(request, "schema"), *url = text_of(request, "registry");
    size_t n;
    uint8_t *bytes = from_hex(text_of(request, "bytes"), &n), *event = calloc(1, type->size);
    enum status st;
    if (schema != NULL)
        st = decode_written(type, schema, bytes, n, event, answer, w);
    else if (url != NULL)
        st = decode_wire(type, url, bytes, n, event, answer, w);
    else if ((st = type->decode(bytes, n, event)) == ST_OK)
        show_event(answer, type, event);
    free(event);
    free(bytes);
    return st;
}

static enum status enroll(json_t *request, json_t *answer, struct why *w) {
    int32_t id;
    struct registry *registry = registry_new(text_of(request, "registry"));
    enum status st =
        registry_register(registry, text_of(request, "subject"), text_of(request, "schema"), &id, w);
    if (st == ST_OK) json_object_set_new(answer, "id", json_integer(id));
    registry_free(registry);
    return st;
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        struct why w = {.text = ""};
        json_t *request = json_loads(line, 0, NULL), *answer = json_object();
        bool subject = json_object_get(request, "subject") != NULL;
        enum status st = subject ? enroll(request, answer, &w) : decode(request, answer, &w);
        json_object_set_new(answer, "status", json_string(status_text(st)));
        json_object_set_new(answer, "why", json_string(w.text));
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(answer);
        json_decref(request);
    }
    free(line);
    return 0;
}
