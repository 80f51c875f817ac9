#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <limits.h>

#include "pg_time.h"
#include "sql.h"

/* Postgres' binary form of a one-dimensional array: five big-endian 32-bit words, then each element as a
 * 32-bit length (-1: null) and its bytes. The count is filled in by sql_params_values, when it is known. */
enum { AT_NDIM = 0, AT_HAS_NULL = 4, AT_TYPE = 8, AT_COUNT = 12, AT_LOWER_BOUND = 16, HEADER = 20 };

/* pg_type.dat; these never change. */
enum { BOOL = 16, BYTEA = 17, INT8 = 20, INT2 = 21, INT4 = 23, TEXT = 25, TIMESTAMPTZ = 1184, UUID = 2950 };

static void set_word(struct buf *array, int at, uint32_t v) {
    v = htonl(v);
    memcpy(array->data + at, &v, sizeof v);
}

static uint32_t get_word(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return ntohl(v);
}

void sql_params_init(struct sql_params *c, const struct sql *sql) {
    assert(sql->nparams > 0 && sql->nparams <= SQL_MAX_PARAMS);
    *c = (struct sql_params){.sql = sql};
    sql_params_reset(c);
}

void sql_params_reset(struct sql_params *c) {
    c->items = 0;
    c->next = 0;
    for (int i = 0; i < c->sql->nparams; i++) {
        struct buf *array = &c->arrays[i];
        array->len = 0;
        buf_reserve(array, HEADER);
        array->len = HEADER;
        set_word(array, AT_NDIM, 1);
        set_word(array, AT_HAS_NULL, 0);
        set_word(array, AT_TYPE, c->sql->types[i]);
        set_word(array, AT_COUNT, 0);
        set_word(array, AT_LOWER_BOUND, 1);
    }
}

void sql_params_free(struct sql_params *c) {
    for (int i = 0; i < SQL_MAX_PARAMS; i++)
        buf_free(&c->arrays[i]);
    *c = (struct sql_params){0};
}

/* Where element `count` elements behind `at` begins; sets *has_null when one on the way is null. */
static size_t walk(const struct buf *array, size_t at, int count, bool *has_null) {
    while (count-- > 0) {
        assert(at + 4 <= array->len);
        uint32_t n = get_word(array->data + at);
        at += 4;
        if (n == UINT32_MAX)
            *has_null = true;
        else
            at += n;
    }
    assert(at <= array->len);
    return at;
}

void sql_params_copy(struct sql_params *dst, const struct sql_params *src, int first, int count) {
    assert(dst != src && dst->sql == src->sql && dst->next == 0);
    assert(first >= 0 && count >= 0 && first <= src->items - count);
    for (int i = 0; i < src->sql->nparams; i++) {
        const struct buf *array = &src->arrays[i];
        bool before = false, within = false;
        size_t from = walk(array, HEADER, first, &before);
        size_t to = walk(array, from, count, &within);
        buf_add(&dst->arrays[i], array->data + from, to - from);
        if (within) set_word(&dst->arrays[i], AT_HAS_NULL, 1);
    }
    dst->items += count;
}

void sql_params_values(struct sql_params *c, const char *values[], int lengths[], int formats[]) {
    assert(c->items > 0 && c->next == 0);
    for (int i = 0; i < c->sql->nparams; i++) {
        struct buf *array = &c->arrays[i];
        assert(array->len <= INT_MAX);
        set_word(array, AT_COUNT, (uint32_t)c->items);
        values[i] = (const char *)array->data;
        lengths[i] = (int)array->len;
        formats[i] = 1;
    }
}

static uint32_t next_type(const struct sql_params *c) {
    return c->sql->types[c->next];
}

static struct buf *take_next(struct sql_params *c) {
    struct buf *array = &c->arrays[c->next++];
    if (c->next == c->sql->nparams) {
        c->next = 0;
        c->items++;
    }
    return array;
}

static void put(struct sql_params *c, const void *bytes, size_t n) {
    assert(n <= INT_MAX);
    struct buf *array = take_next(c);
    uint32_t length = htonl((uint32_t)n);
    buf_reserve(array, sizeof length + n);
    buf_add(array, &length, sizeof length);
    buf_add(array, bytes, n);
}

void put_null(struct sql_params *c) {
    struct buf *array = take_next(c);
    uint32_t length = UINT32_MAX;
    buf_add(array, &length, sizeof length);
    set_word(array, AT_HAS_NULL, 1);
}

void put_text(struct sql_params *c, struct str v) {
    assert(next_type(c) == TEXT);
    put(c, v.p, v.n);
}

void put_bytes(struct sql_params *c, struct str v) {
    assert(next_type(c) == BYTEA);
    put(c, v.p, v.n);
}

void put_uuid(struct sql_params *c, const struct uuid *v) {
    assert(next_type(c) == UUID);
    put(c, v->b, sizeof v->b);
}

void put_bool(struct sql_params *c, bool v) {
    assert(next_type(c) == BOOL);
    put(c, v ? "\1" : "\0", 1);
}

static void put_int8(struct sql_params *c, int64_t v) {
    uint64_t wire = htobe64((uint64_t)v);
    put(c, &wire, sizeof wire);
}

/* Values of int2 and int4 parameters come from checked input or from an Avro int; what could be wider belongs
 * in an int8. */
void put_int(struct sql_params *c, int64_t v) {
    uint32_t type = next_type(c);
    if (type == INT8) {
        put_int8(c, v);
    } else if (type == INT4) {
        assert(v >= INT32_MIN && v <= INT32_MAX);
        uint32_t wire = htonl((uint32_t)v);
        put(c, &wire, sizeof wire);
    } else {
        assert(type == INT2 && v >= INT16_MIN && v <= INT16_MAX);
        uint16_t wire = htons((uint16_t)v);
        put(c, &wire, sizeof wire);
    }
}

void put_time(struct sql_params *c, int64_t unix_us) {
    assert(next_type(c) == TIMESTAMPTZ);
    int64_t v;
    if (__builtin_sub_overflow(unix_us, POSTGRES_EPOCH_US, &v)) v = INT64_MIN; /* -infinity */
    put_int8(c, v);
}
