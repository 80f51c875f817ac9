/* registry: a client of a Confluent-compatible schema registry, and the wire format (0, schema id, Avro).
 *
 * Blocking, over libcurl, with a timeout; one owner thread. */
#pragma once

#include "avro.h"

struct registry;
/* url: "http://host:port/apis/ccompat/v7" or a plain Confluent one, with user and password if need be. */
struct registry *registry_new(const char *url);
void registry_free(struct registry *r);

/* Registers under SUBJECT (the registry enforces its compatibility level) and sets the subject's level to
 * BACKWARD before. ST_OK, ST_LOST (no answer or 5xx: try again), ST_FAILED (refused: why carries its words).
 */
enum status registry_register(struct registry *r, const char *subject, const char *schema, int32_t *id,
                              struct why *w);
/* The same for the schema of a topic's values, under NAME-value. */
enum status registry_register_topic(struct registry *r, const struct topic *topic, int32_t *id,
                                    struct why *w);
/* The text of a schema; free() it. ST_OK, ST_LOST, ST_NOT_FOUND, ST_FAILED. */
enum status registry_schema(struct registry *r, int32_t id, char **schema, struct why *w);

enum { WIRE_HEADER = 5 };
void wire_header(uint8_t out[WIRE_HEADER], int32_t schema_id);

/* Decodes values of one type by whatever schema they name; keeps a plan an id, and remembers ids that cannot
 * be had for a minute. ST_OK, ST_INVALID (never decodable: malformed, unknown id, incompatible; why says it),
 * ST_LOST (retry: the registry is away or refuses us, or it does not know the id and has been asked for less
 * than a second: one of its nodes may lag). strs of the event point into value, or into d for what the writer
 * did not write. */
struct wire_decoder;
struct wire_decoder *wire_decoder_new(struct registry *r, const struct avro_type *type);
void wire_decoder_free(struct wire_decoder *d);
enum status wire_decode(struct wire_decoder *d, const uint8_t *value, size_t n, void *event, struct why *w);
