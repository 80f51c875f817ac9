/* registry: a client of a Confluent-compatible schema registry.
 *
 * It blocks; each request has a timeout. One owner thread. */
#pragma once

#include "avro.h"
#include "config.h"

/* SCHEMA_REGISTRY_USER and _PASSWORD: for config_load; what it reads holds for all registries made later. */
extern const struct config_var registry_settings[];

struct registry;
/* url: "http://host:port/apis/ccompat/v7" or a plain Confluent one, with user and password if need be. */
struct registry *registry_new(const char *url);
void registry_free(struct registry *r);

/* Registers under SUBJECT (the registry enforces its compatibility level). Before that the subject gets a
 * level of its own if it has none, or a loose one: that of all subjects, but BACKWARD at least. ST_OK,
 * ST_LOST (no answer or 5xx: try again), ST_FAILED (refused; the reason quotes the registry).
 */
enum status registry_register(struct registry *r, const char *subject, const char *schema, int32_t *id,
                              struct why *w);
/* The same for the schema of a topic's values, under NAME-value. */
enum status registry_register_topic(struct registry *r, const struct topic *topic, int32_t *id,
                                    struct why *w);
/* The text of a schema; free() it. ST_OK, ST_LOST, ST_NOT_FOUND, ST_FAILED. */
enum status registry_schema(struct registry *r, int32_t id, char **schema, struct why *w);
