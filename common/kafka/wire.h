/* wire: the format of a record's value on Kafka (0, the schema's id, Avro), and its decoder.
 *
 * A decoder belongs to one thread, and makes requests to the registry on it. It does not own the registry. */
#pragma once

#include "avro.h"

struct registry;

enum { WIRE_HEADER = 5 };
void wire_header(uint8_t out[WIRE_HEADER], int32_t schema_id);

/* Decodes values of one type, by the schema whose id they have. Keeps a plan for each id, and for a minute
 * the ids that cannot be read. ST_OK, ST_INVALID (never decodable: malformed, unknown id, incompatible; why
 * says it), ST_LOST (retry: the registry is away or refuses us, or it does not know the id and has been asked
 * for less than a second: one of its nodes may lag). strs of the event point into value, or into d for what
 * the writer did not write. */
struct wire_decoder;
struct wire_decoder *wire_decoder_new(struct registry *r, const struct avro_type *type);
void wire_decoder_free(struct wire_decoder *d);
enum status wire_decode(struct wire_decoder *d, const uint8_t *value, size_t n, void *event, struct why *w);
