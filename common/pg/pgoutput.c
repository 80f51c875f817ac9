#include "pgoutput.h"

#include <endian.h>
#include <string.h>

#include "pg_time.h"

int64_t pgoutput_unix_us(int64_t postgres_us) {
    int64_t unix_us; /* 'infinity' is the largest int64: it stays that */
    return __builtin_add_overflow(postgres_us, POSTGRES_EPOCH_US, &unix_us) ? postgres_us : unix_us;
}

int64_t pgoutput_postgres_us(int64_t unix_us) {
    return unix_us - POSTGRES_EPOCH_US;
}

uint16_t pgoutput_u16(const uint8_t *bytes) {
    uint16_t v;
    memcpy(&v, bytes, sizeof v);
    return be16toh(v);
}

uint32_t pgoutput_u32(const uint8_t *bytes) {
    uint32_t v;
    memcpy(&v, bytes, sizeof v);
    return be32toh(v);
}

uint64_t pgoutput_u64(const uint8_t *bytes) {
    uint64_t v;
    memcpy(&v, bytes, sizeof v);
    return be64toh(v);
}

/* A place in a message. Reading past the end gives zeros and sets `bad`, which is checked once, at the end.
 */
struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static const uint8_t zeros[8];

static const uint8_t *take(struct reader *r, size_t n) {
    if ((size_t)(r->end - r->at) < n) {
        r->bad = true;
        r->at = r->end;
        return n <= sizeof zeros ? zeros : NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += n;
    return bytes;
}

static uint8_t take_u8(struct reader *r) {
    return *take(r, 1);
}

static uint16_t take_u16(struct reader *r) {
    return pgoutput_u16(take(r, 2));
}

static uint32_t take_u32(struct reader *r) {
    return pgoutput_u32(take(r, 4));
}

static uint64_t take_u64(struct reader *r) {
    return pgoutput_u64(take(r, 8));
}

static const char *take_text(struct reader *r) {
    const uint8_t *zero = memchr(r->at, 0, (size_t)(r->end - r->at));
    if (zero == NULL) {
        r->bad = true;
        r->at = r->end;
        return "";
    }
    const char *text = (const char *)r->at;
    r->at = zero + 1;
    return text;
}

static enum status finish(const struct reader *r, const char *what, struct why *w) {
    if (r->bad) return why(w, ST_INVALID, "a %s of the replication stream is cut short or malformed", what);
    if (r->at != r->end)
        return why(w, ST_INVALID, "a %s of the replication stream has %zu bytes too many", what,
                   (size_t)(r->end - r->at));
    return ST_OK;
}

enum status pgoutput_frame(const uint8_t *bytes, size_t n, struct pgoutput_frame *out, struct why *w) {
    struct reader r = {bytes, bytes + n, false};
    uint8_t kind = take_u8(&r);
    *out = (struct pgoutput_frame){0};
    switch (kind) {
    case 'w':
        out->kind = FRAME_DATA;
        take(&r,
             3 * 8); /* where it lies in the WAL, the same again, and when it was sent: messages say better */
        out->message = r.at;
        out->n = (size_t)(r.end - r.at);
        r.at = r.end;
        return finish(&r, "frame", w);
    case 'k':
        out->kind = FRAME_KEEPALIVE;
        out->wal_end = take_u64(&r);
        take(&r, 8); /* when it was sent */
        out->reply_now = take_u8(&r) != 0;
        return finish(&r, "keepalive", w);
    default:
        return why(w, ST_INVALID, "the replication stream has a frame of unknown kind 0x%02x", kind);
    }
}

static enum status read_begin(struct reader *r, struct pgoutput_message *out, struct why *w) {
    out->kind = PGOUTPUT_BEGIN;
    out->lsn = take_u64(r);
    out->committed_us = pgoutput_unix_us((int64_t)take_u64(r));
    take(r, 4); /* transaction id */
    return finish(r, "begin", w);
}

static enum status read_commit(struct reader *r, struct pgoutput_message *out, struct why *w) {
    out->kind = PGOUTPUT_COMMIT;
    take(r, 1 + 8); /* flags, and the commit record's LSN that BEGIN said already */
    out->lsn = take_u64(r);
    take(r, 8); /* time, as in BEGIN */
    return finish(r, "commit", w);
}

static enum status read_count(struct reader *r, struct pgoutput_message *out, struct why *w) {
    out->ncolumns = take_u16(r);
    if (out->ncolumns <= PGOUTPUT_MAX_COLUMNS) return ST_OK;
    int n = out->ncolumns;
    out->ncolumns = 0;
    return why(w, ST_INVALID, "a published table has %d columns, more than the %d that can be read", n,
               PGOUTPUT_MAX_COLUMNS);
}

static enum status read_relation(struct reader *r, struct pgoutput_message *out, struct why *w) {
    out->kind = PGOUTPUT_RELATION;
    out->relation = take_u32(r);
    out->schema = take_text(r);
    out->name = take_text(r);
    take(r, 1); /* replica identity: only of interest to updates and deletes */
    enum status st = read_count(r, out, w);
    if (st != ST_OK) return st;
    for (int i = 0; i < out->ncolumns; i++) {
        take(r, 1); /* flags: part of the key */
        out->columns[i].name = take_text(r);
        out->columns[i].type = take_u32(r);
        take(r, 4); /* type modifier */
    }
    return finish(r, "relation", w);
}

static struct pgoutput_value take_value(struct reader *r) {
    struct pgoutput_value value = {.n = -1};
    uint8_t kind = take_u8(r);
    if (kind == 'n') return value;
    uint32_t n = take_u32(r);
    /* 'u', a large value that an update left alone, cannot come with an insert. */
    if ((kind != 'b' && kind != 't') || n > INT32_MAX) {
        r->bad = true;
        return value;
    }
    value.text = kind == 't';
    value.bytes = take(r, n);
    value.n = r->bad ? -1 : (int32_t)n;
    return value;
}

static enum status read_insert(struct reader *r, struct pgoutput_message *out, struct why *w) {
    out->kind = PGOUTPUT_INSERT;
    out->relation = take_u32(r);
    if (take_u8(r) != 'N') r->bad = true; /* the new row follows */
    enum status st = read_count(r, out, w);
    if (st != ST_OK) return st;
    for (int i = 0; i < out->ncolumns; i++)
        out->values[i] = take_value(r);
    return finish(r, "insert", w);
}

enum status pgoutput_read(const uint8_t *bytes, size_t n, struct pgoutput_message *out, struct why *w) {
    struct reader r = {bytes, bytes + n, false};
    uint8_t kind = take_u8(&r);
    switch (kind) {
    case 'B':
        return read_begin(&r, out, w);
    case 'C':
        return read_commit(&r, out, w);
    case 'R':
        return read_relation(&r, out, w);
    case 'I':
        return read_insert(&r, out, w);
    case 'Y': /* type */
    case 'O': /* origin */
    case 'T': /* truncate */
    case 'M': /* message */
    case 'U': /* update */
    case 'D': /* delete */
        out->kind = PGOUTPUT_OTHER;
        return ST_OK;
    default:
        return why(w, ST_INVALID, "the replication stream has a message of unknown kind 0x%02x", kind);
    }
}
