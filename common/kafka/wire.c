/* The wire format, and a plan for each schema id seen in it. */
#include "wire.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "backoff.h"
#include "clock.h"
#include "mem.h"
#include "registry.h"

enum {
    /* There are as many ids as the topic's schema has versions: a few. The bound is for records with made-up
       ids. */
    MAX_KNOWN = 256,
    REMEMBER_US = 60 * 1000 * 1000, /* an id that could not be read is asked for again after this */
    OVER_US = 60 * 1000 * 1000, /* after such a time without it a trouble is over: the next one is another */
    REGISTRY_FIRST_MS = 250,    /* pauses after a registry that did not answer, each of which takes seconds */
    REGISTRY_MOST_MS = 30000,
};

/* Records that cannot be read for now, for one reason. */
struct trouble {
    int64_t since_us, last_us;
};

struct known {
    int32_t id;
    struct avro_plan *plan; /* NULL: cannot be had, for the reason below */
    bool exists;            /* the registry has it */
    bool foreign;           /* it is of another record */
    struct trouble trouble; /* with what it says */
    int64_t again_us;       /* when to ask for the plan again */
    struct why reason;
};

struct wire_decoder {
    struct registry *registry;
    const struct avro_type *type;
    int64_t patience_us;
    struct trouble unknown_ids; /* of all ids together: some are made up */
    struct backoff away;        /* the registry */
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
    d->away = (struct backoff){.first_ms = REGISTRY_FIRST_MS, .most_ms = REGISTRY_MOST_MS};
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

/* Whether a trouble that is met now has not lasted longer than we are patient. */
static bool has_patience(const struct wire_decoder *d, struct trouble *t) {
    int64_t now_us = clock_mono_us();
    if (t->since_us == 0 || now_us - t->last_us > OVER_US) t->since_us = now_us;
    t->last_us = now_us;
    return now_us - t->since_us < d->patience_us;
}

static enum status unreadable(struct wire_decoder *d, struct known *k, struct why *w, const char *reason) {
    struct trouble *trouble = k->exists ? &k->trouble : &d->unknown_ids;
    if (!k->foreign && has_patience(d, trouble)) return why(w, ST_LOST, "%s, for now", reason);
    k->again_us = clock_mono_us() + REMEMBER_US;
    return why(w, ST_INVALID, "%s", reason);
}

/* ST_OK, ST_NOT_FOUND, ST_LOST: a registry that is away or refuses us says nothing about the id (a wrong
 * password must not turn good records into dead letters), and is left alone for a while. */
static enum status ask_registry(struct wire_decoder *d, int32_t id, char **schema, struct why *w) {
    if (!backoff_over(&d->away)) return why(w, ST_LOST, "the schema registry did not answer a moment ago");
    enum status st = registry_schema(d->registry, id, schema, w);
    if (st == ST_OK || st == ST_NOT_FOUND)
        backoff_reset(&d->away);
    else
        backoff_fail(&d->away);
    return st == ST_OK || st == ST_NOT_FOUND ? st : ST_LOST;
}

/* Asks the registry and keeps what came of it. */
static enum status learn(struct wire_decoder *d, int32_t id, struct known **known, struct why *w) {
    char *schema = NULL;
    struct known k = {.id = id};
    if (*known != NULL) k = **known;
    enum status st = ask_registry(d, id, &schema, &k.reason);
    if (st == ST_LOST) return why(w, ST_LOST, "%s", k.reason.text);
    k.exists = st == ST_OK;
    if (st == ST_OK) k.plan = avro_plan_new(d->type, schema, &k.reason);
    k.foreign = k.exists && k.plan == NULL && avro_other_record(d->type, schema);
    free(schema);
    if (k.exists && *known != NULL) d->unknown_ids = (struct trouble){0}; /* a node has caught up */
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
