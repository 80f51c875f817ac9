/* wire: the format of a record's value on Kafka (0, the schema's id, Avro), and its decoder.
 *
 * A decoder belongs to one thread, and makes requests to the registry on it. It does not own the registry. */
#pragma once

#include "avro.h"

struct registry;

enum { WIRE_HEADER = 5 };
void wire_header(uint8_t out[WIRE_HEADER], int32_t schema_id);

/* Decodes values of one type, by the schema whose id they have, and keeps a plan for each id.
 *
 * ST_OK. ST_INVALID: never decodable: malformed, or of another type. ST_LOST: not now: the registry is away,
 * refuses us or does not know the id (one of its nodes may lag), or the schema or a symbol is newer than this
 * program (a new version may run beside it, or replace it soon). To be tried again; after patience_ms of the
 * same trouble with a schema the answer is ST_INVALID, so that one record does not hold up others for ever.
 * why says which. strs of the event point into value, or into d for what the writer did not write. */
struct wire_decoder;
struct wire_decoder *wire_decoder_new(struct registry *r, const struct avro_type *type, int64_t patience_ms);
void wire_decoder_free(struct wire_decoder *d);
enum status wire_decode(struct wire_decoder *d, const uint8_t *value, size_t n, void *event, struct why *w);
