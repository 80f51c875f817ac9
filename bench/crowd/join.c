#include "join.h"

#include <stdio.h>
#include <stdlib.h>

#include "buy.h"
#include "clock.h"
#include "door.h"
#include "mem.h"

enum { PAUSE_MS = 200 }; /* before those who were not let in try again */

static struct person **again; /* the next round */
static uint32_t nagain, joined, refused, asking;
static int64_t *took_us;
static int last_status;
static char body[32]; /* how many he wants */

static void on_answer(void *who, const struct door_answer *answer) {
    struct person *p = who;
    asking--;
    if (answer->status == 202) {
        took_us[joined++] = clock_mono_us() - p->since_us;
        return;
    }
    last_status = answer->status;
    if (answer->status == 0 || answer->status >= 500 || answer->status == 429)
        again[nagain++] = p;
    else
        refused++;
}

static void ask(struct door *d, const char *path, struct person *p) {
    while (!door_is_free(d))
        door_turn(d, 10);
    if (p->since_us == 0) p->since_us = clock_mono_us();
    asking++;
    door_ask(d, people_request(p, "POST", path, NULL, body), p);
}

static void try_again(struct door *d, const char *path) {
    struct person **now = again;
    uint32_t n = nagain;
    again = mem_alloc((n + 1) * sizeof(struct person *));
    nagain = 0;
    door_turn(d, PAUSE_MS);
    for (uint32_t i = 0; i < n; i++)
        ask(d, path, now[i]);
    while (asking > 0)
        door_turn(d, 10);
    free(now);
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void join_all(int port, const char *show, struct person *people, uint32_t count, int connections) {
    char path[128];
    uint32_t repeated = 0;
    snprintf(path, sizeof path, "/api/shows/%s/queue", show);
    snprintf(body, sizeof body, "{\"want\":%d}", BUY_QUANTITY);
    again = mem_alloc((count + 1) * sizeof(struct person *));
    took_us = mem_alloc((count + 1) * sizeof *took_us);
    struct door *d = door_open(port, connections, on_answer);
    int64_t began_us = clock_mono_us();
    for (uint32_t i = 0; i < count; i++)
        ask(d, path, &people[i]);
    while (asking > 0)
        door_turn(d, 10);
    for (; nagain > 0; try_again(d, path))
        repeated += nagain;
    double seconds = (double)(clock_mono_us() - began_us) / 1e6;
    qsort(took_us, joined, sizeof *took_us, compare);
    printf(
        "{\"joined\": %u, \"refused\": %u, \"repeated\": %u, \"status\": %d, \"seconds\": %.3f, \"p50_us\": "
        "%lld, \"p99_us\": %lld}\n",
        joined, refused, repeated, last_status, seconds, (long long)(joined ? took_us[joined / 2] : 0),
        (long long)(joined ? took_us[(uint64_t)joined * 99 / 100] : 0));
}
