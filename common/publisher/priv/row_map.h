/* row_map: turns a row of an event log, as Postgres sends it in binary, into the struct of the topic's Avro
 * type. One owner thread.
 *
 * Columns are matched to fields by name. Others are ignored, except two (struct row_beside). A field without
 * a column is null where the schema allows it: rows written before a migration added the column are still in
 * the WAL when it runs. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include "avro.h"
#include "pgoutput.h"

struct row_map {
    const struct topic *topic;
    int ncolumns;
    const struct avro_field *fields[PGOUTPUT_MAX_COLUMNS]; /* of each column; NULL: none */
    int traceparent, tombstone;                            /* their columns, or -1 */
};

/* What a row says beside its event. */
struct row_beside {
    struct str traceparent; /* empty when null */
    bool tombstone; /* the record has no value: its topic is to forget the key, and what came before it */
};

/* ST_INVALID: a column's type does not fit its field, or a field that must have a value has no column. */
enum status row_map_set(struct row_map *map, const struct topic *topic, const struct pgoutput_column *columns,
                        int n, struct why *w);

/* Fills the struct; its strs and those of `beside` point into the values. ST_INVALID: a value
 * that the schema has no room for. */
enum status row_map_fill(const struct row_map *map, const struct pgoutput_value *values, int n, void *event,
                         struct row_beside *beside, struct why *w);
