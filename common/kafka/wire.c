/* The wire format, and a plan for each schema id seen in it. */
#include "wire.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "clock.h"
#include "mem.h"
#include "registry.h"

enum {
    /* There are as many ids as the topic's schema has versions: a few. The bound is for records with made-up
       ids. */
    MAX_KNOWN = 256,
    REMEMBER_US = 60 * 1000 * 1000, /* an id that could not be read is asked for again after this */
};

struct known {
    int32_t id;
    struct avro_plan *plan; /* NULL: cannot be had, for the reason below */
    bool foreign;           /* the schema is of another record */
    int64_t since_us;       /* first unreadable; 0: was not */
    int64_t again_us;       /* when to ask for the plan again */
    struct why reason;
};

struct wire_decoder {
    struct registry *registry;
    const struct avro_type *type;
    int64_t patience_us;
    struct known known[MAX_KNOWN];
    int count;
    int next;           /* the place that is given away when all are taken */
    struct known *last; /* found the last time: nearly always the one that is looked for */
};

void wire_header(uint8_t out[WIRE_HEADER], int32_t schema_id) {
    uint32_t id = htonl((uint32_t)schema_id);
    out[0] = 0;
    memcpy(out + 1, &id, sizeof id);
}

struct wire_decoder *wire_decoder_new(struct registry *r, const struct avro_type *type, int64_t patience_ms) {
    struct wire_decoder *d = mem_alloc(sizeof *d);
    d->registry = r;
    d->patience_us = patience_ms * 1000;
    d->type = type;
    return d;
}

void wire_decoder_free(struct wire_decoder *d) {
    if (d == NULL) return;
    for (int i = 0; i < d->count; i++)
        avro_plan_free(d->known[i].plan);
    free(d);
}

static struct known *find(struct wire_decoder *d, int32_t id) {
    if (d->last != NULL && d->last->id == id) return d->last;
    for (int i = 0; i < d->count; i++)
        if (d->known[i].id == id) return d->last = &d->known[i];
    return NULL;
}

/* A place for a new id: an unused one, else one of an id that cannot be had, else (never but by intent) the
 * next in turn. */
static struct known *place(struct wire_decoder *d) {
    if (d->count < MAX_KNOWN) return &d->known[d->count++];
    for (int i = 0; i < MAX_KNOWN; i++) {
        d->next = (d->next + 1) % MAX_KNOWN;
        if (d->known[d->next].plan == NULL) return &d->known[d->next];
    }
    d->next = (d->next + 1) % MAX_KNOWN;
    avro_plan_free(d->known[d->next].plan);
    return &d->known[d->next];
}

/* Something about this id could not be read. ST_LOST, until that has lasted for as long as we are patient. */
static enum status unreadable(struct wire_decoder *d, struct known *k, struct why *w, const char *reason) {
    int64_t now_us = clock_mono_us();
    if (k->since_us == 0) k->since_us = now_us;
    if (!k->foreign && now_us - k->since_us < d->patience_us) return why(w, ST_LOST, "%s, for now", reason);
    return why(w, ST_INVALID, "%s", reason);
}

/* Asks the registry and keeps what came of it. A registry that is away or refuses us says nothing about the
 * id: a wrong password must not turn good records into dead letters. */
static enum status learn(struct wire_decoder *d, int32_t id, struct known **known, struct why *w) {
    char *schema = NULL;
    struct known k = {.id = id};
    if (*known != NULL) k = **known;
    enum status st = registry_schema(d->registry, id, &schema, &k.reason);
    if (st != ST_OK && st != ST_NOT_FOUND) return why(w, ST_LOST, "%s", k.reason.text);
    if (st == ST_OK) k.plan = avro_plan_new(d->type, schema, &k.reason);
    k.foreign = st == ST_OK && k.plan == NULL && !avro_same_record(d->type, schema);
    free(schema);
    bool patient = !k.foreign && (k.since_us == 0 || clock_mono_us() - k.since_us < d->patience_us);
    k.again_us = clock_mono_us() + (patient ? 0 : REMEMBER_US); /* who is told ST_LOST pauses */
    if (k.plan != NULL) k.since_us = 0;
    if (*known == NULL) *known = d->last = place(d);
    **known = k;
    return ST_OK;
}

enum status wire_decode(struct wire_decoder *d, const uint8_t *value, size_t n, void *event, struct why *w) {
    if (value == NULL) return why(w, ST_INVALID, "%s: a null value", d->type->name);
    if (n < WIRE_HEADER || value[0] != 0 || value[1] >= 0x80) /* ids are not negative */
        return why(w, ST_INVALID, "%s: no schema id in front", d->type->name);
    uint32_t word;
    memcpy(&word, value + 1, sizeof word);
    int32_t id = (int32_t)ntohl(word);
    struct known *known = find(d, id);
    if (known == NULL || (known->plan == NULL && clock_mono_us() >= known->again_us)) {
        enum status st = learn(d, id, &known, w);
        if (st != ST_OK) return st;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): learn() has set it if it says ST_OK */
    if (known->plan == NULL) return unreadable(d, known, w, known->reason.text);
    enum status st = avro_plan_decode(known->plan, value + WIRE_HEADER, n - WIRE_HEADER, event);
    if (st == ST_OK) return ST_OK;
    struct why reason;
    if (st == ST_AGAIN) {
        why(&reason, st, "%s: a record of schema %ld has a value that a newer version knows", d->type->name,
            (long)id);
        return unreadable(d, known, w, reason.text);
    }
    return why(w, ST_INVALID, "%s: a malformed record of schema %ld", d->type->name, (long)id);
}
