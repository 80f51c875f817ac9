/* Events as somebody else may write them. The first byte says the type and the way: a record under our own
 * schema, or a writer's schema, a NUL, and a record under that. Whatever is taken must be an event that we
 * can write and read again. */
#include <stdlib.h>

#include "avro.h"
#include "events.h"

enum { WAY_PLAN = 0x80, RECORD_MAX = 1 << 20 };

/* The encoding of event, which is a value of the type or we took what we should not have. free() it. */
static uint8_t *write_again(const struct avro_type *type, const void *event, size_t *n) {
    size_t most = type->max_size(event);
    uint8_t *bytes = malloc(most);
    *n = type->encode(event, bytes, most);
    if (*n == 0 || *n > most) abort();
    return bytes;
}

/* One value has one encoding, but for the capitals of a uuid. */
static void expect_same(const uint8_t *given, size_t given_n, const uint8_t *ours, size_t n) {
    if (given_n != n) abort();
    for (size_t i = 0; i < n; i++)
        if (given[i] != ours[i] && (given[i] | 0x20) != ours[i]) abort();
}

static void decode(const struct avro_type *type, const uint8_t *data, size_t size, void *event) {
    if (type->decode(data, size, event) != ST_OK) return;
    size_t n;
    uint8_t *bytes = write_again(type, event, &n);
    expect_same(data, size, bytes, n);
    free(bytes);
}

static void decode_by_plan(const struct avro_type *type, const uint8_t *data, size_t size, void *event) {
    const uint8_t *nul = memchr(data, 0, size);
    if (nul == NULL) return;
    struct why w;
    struct avro_plan *plan = avro_plan_new(type, (const char *)data, &w);
    if (plan == NULL) return;
    size_t n, header = (size_t)(nul + 1 - data);
    if (avro_plan_decode(plan, data + header, size - header, event) == ST_OK) {
        uint8_t *bytes = write_again(type, event, &n);
        if (type->decode(bytes, n, event) != ST_OK) abort();
        free(bytes);
    }
    avro_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size > RECORD_MAX) return 0;
    const struct avro_type *type = event_topics[(data[0] & ~WAY_PLAN) % 5]->type;
    void *event = calloc(1, type->size);
    if ((data[0] & WAY_PLAN) != 0)
        decode_by_plan(type, data + 1, size - 1, event);
    else
        decode(type, data + 1, size - 1, event);
    free(event);
    return 0;
}
