#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>

#include "pg_time.h"
#include "sql.h"

/* A statement and the code that reads its rows are written together: what does not fit is a bug, found by the
 * first test. */
static struct str cell(const struct rows *r, int row, int column) {
    assert(row >= 0 && row < r->count && column >= 0 && column < PQnfields(r->result));
    assert(PQfformat(r->result, column) == 1);
    int at = r->first + row;
    assert(at < PQntuples(r->result) && !PQgetisnull(r->result, at, column));
    return (struct str){PQgetvalue(r->result, at, column), (size_t)PQgetlength(r->result, at, column)};
}

bool row_null(const struct rows *r, int row, int column) {
    assert(row >= 0 && row < r->count && column >= 0 && column < PQnfields(r->result));
    return PQgetisnull(r->result, r->first + row, column);
}

struct str row_text(const struct rows *r, int row, int column) {
    return cell(r, row, column);
}

struct uuid row_uuid(const struct rows *r, int row, int column) {
    struct str v = cell(r, row, column);
    struct uuid id;
    assert(v.n == sizeof id.b);
    memcpy(id.b, v.p, sizeof id.b);
    return id;
}

static int64_t int8_of(struct str v) {
    uint64_t wire;
    assert(v.n == sizeof wire);
    memcpy(&wire, v.p, sizeof wire);
    return (int64_t)be64toh(wire);
}

int64_t row_int(const struct rows *r, int row, int column) {
    struct str v = cell(r, row, column);
    uint16_t two;
    uint32_t four;
    switch (v.n) {
    case sizeof two:
        memcpy(&two, v.p, sizeof two);
        return (int16_t)ntohs(two);
    case sizeof four:
        memcpy(&four, v.p, sizeof four);
        return (int32_t)ntohl(four);
    default:
        return int8_of(v);
    }
}

bool row_bool(const struct rows *r, int row, int column) {
    struct str v = cell(r, row, column);
    assert(v.n == 1);
    return v.p[0] != 0;
}

int64_t row_time(const struct rows *r, int row, int column) {
    int64_t us;
    if (__builtin_add_overflow(int8_of(cell(r, row, column)), POSTGRES_EPOCH_US, &us))
        return INT64_MAX; /* infinity */
    return us;
}
