/* demand: counts what people ask of shows, and says it once a second on the topic `demand` (schemas/avro).
 *
 * Each thread that counts has a table of its own, in a slot. Counting takes no lock, waits for nothing and
 * does no I/O: the thread takes its table out of the slot, counts, and puts it back. Once a second the
 * teller's thread puts an empty table there in place of the one that it finds, and sends what is in that one.
 * A table has room for DEMAND_KEYS shows, areas and kinds of client within a second; what is about others
 * then is in no record, and a metric counts it.
 *
 * demand_ask and demand_add may be called by one thread for each slot. The main thread makes and frees it. */
#pragma once

#include "events.h"
#include "http.h"

enum { DEMAND_KEYS = 256 };

/* The numbers of a record, in the order of its fields. */
enum demand_number {
    DEMAND_ASKED,
    DEMAND_ASKED_PLACES,
    DEMAND_PLACED,
    DEMAND_PLACED_PLACES,
    DEMAND_REPEATED,
    DEMAND_FAILED,
    DEMAND_SOLD_OUT, /* this and up to DEMAND_OTHER: why it was refused */
    DEMAND_TOO_FEW,
    DEMAND_NOT_TOGETHER,
    DEMAND_TAKEN,
    DEMAND_PRICE,
    DEMAND_LIMIT,
    DEMAND_NOT_OPEN,
    DEMAND_OVER,
    DEMAND_NOT_SOLD,
    DEMAND_QUEUE_REQUIRED,
    DEMAND_AREA_REQUIRED,
    DEMAND_CODE_REQUIRED,
    DEMAND_CODE_WRONG,
    DEMAND_CODE_USED,
    DEMAND_LAPSED,
    DEMAND_CROWDED,
    DEMAND_FEWER,
    DEMAND_OTHER,
    DEMAND_GAVE_UP_PLACES,
    DEMAND_CAME,
    DEMAND_JOINED,
    DEMAND_ADMITTED,
    DEMAND_MISSED,
    DEMAND_NUMBERS
};

struct demand_key {
    struct uuid show, area;
    bool has_area;
    enum demand_client client;
};

struct demand;
struct teller;

/* Where one thread counts. */
struct demand_slot {
    struct demand *demand;
    int slot;
};

struct demand *demand_new(const char *service, int slots);
void demand_free(struct demand *d);

void demand_add(struct demand *d, int slot, const struct demand_key *key, enum demand_number what, int n);
/* A request for so many places, and what became of it: DEMAND_PLACED to DEMAND_OTHER. */
void demand_ask(struct demand *d, int slot, const struct demand_key *key, enum demand_number became,
                int places);

/* By what a request came: our pages say so of the requests that they make (DEMAND_PAGE_HEADER). */
#define DEMAND_PAGE_HEADER "x-onsale-page"
enum demand_client demand_client_of(const struct req *rq);

/* For struct tell: sends what was counted since the last time. */
void demand_tell(struct demand *d, struct teller *t);
/* The same without a teller: `say` gets each record. now_us: of the wall clock. */
void demand_collect(struct demand *d, int64_t now_us, void (*say)(const struct demand_event *e, void *arg),
                    void *arg);
