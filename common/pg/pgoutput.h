/* pgoutput: reads what Postgres sends on a logical replication connection: frames, and in them the messages
 * of the output plugin pgoutput (protocol version 1, binary). Functions over bytes alone, safe on any input;
 * any thread.
 *
 * Nothing is copied: names and values point into the message, and live as long as its bytes do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* An event log has a column a field of its schema and two of ours; the largest schema has fewer than half of
 * this. */
enum { PGOUTPUT_MAX_COLUMNS = 64 };

/* --- frames --- */

enum pgoutput_frame_kind {
    FRAME_DATA,      /* message, n: one message for pgoutput_read */
    FRAME_KEEPALIVE, /* wal_end: every transaction that committed before it has been sent already */
};

struct pgoutput_frame {
    enum pgoutput_frame_kind kind;
    const uint8_t *message;
    size_t n;
    uint64_t wal_end;
    bool reply_now; /* the server asks for a status update, and ends the connection soon without one */
};

enum status pgoutput_frame(const uint8_t *bytes, size_t n, struct pgoutput_frame *out, struct why *w);

/* --- messages --- */

enum pgoutput_kind {
    PGOUTPUT_BEGIN,
    PGOUTPUT_COMMIT,
    PGOUTPUT_RELATION, /* sent before the first row of a table, and after its definition changed */
    PGOUTPUT_INSERT,
    PGOUTPUT_OTHER, /* of another known kind, which a publication of inserts does not need */
};

struct pgoutput_column {
    const char *name;
    uint32_t type; /* OID */
};

struct pgoutput_value {
    const uint8_t *bytes; /* in the type's binary format */
    int32_t n;            /* -1: null */
    bool text;            /* the type has no binary format: bytes are its text */
};

/* Fields by kind; the others are not written. */
struct pgoutput_message {
    enum pgoutput_kind kind;
    uint64_t lsn;              /* BEGIN: of the commit record; COMMIT: of the end of it */
    int64_t committed_us;      /* BEGIN: unix time */
    uint32_t relation;         /* RELATION, INSERT */
    const char *schema, *name; /* RELATION */
    int ncolumns;              /* RELATION, INSERT */
    struct pgoutput_column columns[PGOUTPUT_MAX_COLUMNS]; /* RELATION */
    struct pgoutput_value values[PGOUTPUT_MAX_COLUMNS];   /* INSERT */
};

/* ST_OK or ST_INVALID: malformed, or of an unknown kind. All of the n bytes must be used. */
enum status pgoutput_read(const uint8_t *bytes, size_t n, struct pgoutput_message *out, struct why *w);

/* Postgres counts microseconds from 2000-01-01. */
int64_t pgoutput_unix_us(int64_t postgres_us);
int64_t pgoutput_postgres_us(int64_t unix_us);

/* Big-endian integers, as Postgres sends them. */
uint16_t pgoutput_u16(const uint8_t *bytes);
uint32_t pgoutput_u32(const uint8_t *bytes);
uint64_t pgoutput_u64(const uint8_t *bytes);
