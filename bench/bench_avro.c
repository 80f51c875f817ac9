/* bench_avro: nanoseconds to encode and to decode an event, by the generated code and by Apache's libavro.
 * Prints a line a measure: IMPLEMENTATION RECORD BYTES encode|decode NANOSECONDS. The lowest of many rounds:
 * what the machine does when nothing else runs. */
#include <stdio.h>

#include "../tests/unit/avro_random.h"
#include "../tests/unit/libavro_peer.h"
#include "clock.h"
#include "events.h"

/* 64 records, so that neither branch predictor nor cache sees one only; ROUNDS of a millisecond or so each.
 */
enum { RECORDS = 64, ROUNDS = 300 };

struct set {
    const struct avro_type *type;
    uint8_t *events[RECORDS];
    uint8_t bytes[RECORDS][PEER_RECORD];
    size_t sizes[RECORDS];
    struct peer *peer;
};

/* --- one pass over the records --- */

static void ours_encode(struct set *s) {
    uint8_t out[PEER_RECORD];
    for (int i = 0; i < RECORDS; i++)
        if (s->type->encode(s->events[i], out, sizeof out) != s->sizes[i]) abort();
}

static void ours_decode(struct set *s) {
    _Alignas(16) uint8_t event[1024];
    for (int i = 0; i < RECORDS; i++)
        if (s->type->decode(s->bytes[i], s->sizes[i], event) != ST_OK) abort();
}

static void libavro_encode(struct set *s) {
    for (int i = 0; i < RECORDS; i++)
        if (peer_encode(s->peer, s->events[i]) != s->sizes[i]) abort();
}

static void libavro_decode(struct set *s) {
    _Alignas(16) uint8_t event[1024];
    for (int i = 0; i < RECORDS; i++)
        if (!peer_decode(s->peer, s->bytes[i], s->sizes[i], event)) abort();
}

/* Its part alone: a value that is filled already is written, bytes become a value that nobody looks into. */
static void libavro_write(struct set *s) {
    for (int i = 0; i < RECORDS; i++) {
        avro_writer_memory_set_dest(s->peer->writer, s->peer->bytes, sizeof s->peer->bytes);
        peer_must(avro_value_write(s->peer->writer, &s->peer->value));
    }
}

static void libavro_read(struct set *s) {
    for (int i = 0; i < RECORDS; i++) {
        avro_reader_memory_set_source(s->peer->reader, (const char *)s->bytes[i], (int64_t)s->sizes[i]);
        peer_must(avro_value_read(s->peer->reader, &s->peer->value));
    }
}

static const struct {
    const char *implementation, *measure;
    void (*pass)(struct set *s);
    int passes; /* a round */
} measures[] = {
    {"onsale", "encode", ours_encode, 300},         {"onsale", "decode", ours_decode, 300},
    {"libavro", "encode", libavro_encode, 10},      {"libavro", "decode", libavro_decode, 10},
    {"libavro-value", "encode", libavro_write, 10}, {"libavro-value", "decode", libavro_read, 10},
};

/* --- the records: as they are in life, not as the dice fall --- */

static struct uuid id(struct dice *d) {
    struct uuid made = uuid_v7();
    for (int i = 6; i < 16; i++)
        made.b[i] = (uint8_t)roll(d);
    return made;
}

static void fill_expiration(struct dice *d, void *event) {
    *(struct expiration_event *)event = (struct expiration_event){
        .order_id = id(d),
        .ticket_id = id(d),
        .occurred_at = clock_wall_us() + (int64_t)(roll(d) % 1000000000),
        .expires_at = clock_wall_us() + (int64_t)(roll(d) % 1000000000),
        .attempt = (int32_t)(1 + roll(d) % 3),
    };
}

static void fill_ticket(struct dice *d, void *event) {
    static const char title[] = "Two seats side by side, stalls, row F";
    *(struct ticket_event *)event = (struct ticket_event){
        .type = TICKET_UPDATED,
        .id = id(d),
        .version = (int32_t)(1 + roll(d) % 10),
        .occurred_at = clock_wall_us() + (int64_t)(roll(d) % 1000000000),
        .user_id = id(d),
        .title = {title, 10 + roll(d) % (sizeof title - 11)},
        .price = (int64_t)(50 + roll(d) % 100000),
        .currency = STR("usd"),
        .status = roll(d) & 1 ? TICKET_STATUS_RESERVED : TICKET_STATUS_AVAILABLE,
        .has_order_id = roll(d) & 1,
        .order_id = id(d),
    };
}

static struct set *set_new(struct dice *d, const struct avro_type *type,
                           void (*fill)(struct dice *d, void *event)) {
    struct set *s = calloc(1, sizeof *s);
    s->type = type;
    s->peer = peer_new(type);
    for (int i = 0; i < RECORDS; i++) {
        s->events[i] = calloc(1, type->size);
        fill(d, s->events[i]);
        s->sizes[i] = type->encode(s->events[i], s->bytes[i], PEER_RECORD);
    }
    return s;
}

static void set_free(struct set *s) {
    for (int i = 0; i < RECORDS; i++)
        free(s->events[i]);
    peer_free(s->peer);
    free(s);
}

static double mean_size(const struct set *s) {
    size_t sum = 0;
    for (int i = 0; i < RECORDS; i++)
        sum += s->sizes[i];
    return (double)sum / RECORDS;
}

/* The records as files for the other implementations: a length of 4 bytes (big endian), then the record. */
static void write_records(const struct set *s, const char *directory) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.records", directory, s->type->name);
    FILE *file = fopen(path, "w");
    bool whole = file != NULL;
    for (int i = 0; whole && i < RECORDS; i++) {
        uint32_t n = __builtin_bswap32((uint32_t)s->sizes[i]);
        whole =
            fwrite(&n, sizeof n, 1, file) == 1 && fwrite(s->bytes[i], 1, s->sizes[i], file) == s->sizes[i];
    }
    if (!whole || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void run(struct set *s) {
    for (size_t m = 0; m < sizeof measures / sizeof *measures; m++) {
        double best = 1e12;
        for (int round = 0; round < ROUNDS; round++) {
            int64_t start = clock_us(CLOCK_MONOTONIC);
            for (int i = 0; i < measures[m].passes; i++)
                measures[m].pass(s);
            double ns = (double)(clock_us(CLOCK_MONOTONIC) - start) * 1000 / (measures[m].passes * RECORDS);
            if (ns < best) best = ns;
        }
        printf("%s %s %.0f %s %.1f\n", measures[m].implementation, s->type->name, mean_size(s),
               measures[m].measure, best);
    }
}

int main(int argc, char **argv) {
    struct dice d = {.state = 1};
    struct set *sets[] = {set_new(&d, &expiration_event_avro, fill_expiration),
                          set_new(&d, &ticket_event_avro, fill_ticket)};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (argc > 1) write_records(sets[i], argv[1]);
        run(sets[i]);
        set_free(sets[i]);
    }
    return 0;
}
