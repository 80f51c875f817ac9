/* bench_wheel: the timer wheel alone, with as many timers pending as an on-sale could ever leave.
 *
 *     bench_wheel TIMERS PAIRS
 *
 * Orders have random ids and are due at random within 15 minutes. As in the stream each of the 12 partitions
 * has a wheel, and records come in batches of a partition. Prints a line a measure:
 * name and value. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"
#include "wheel.h"

enum {
    HOLD = 900000,
    PARTITIONS = 12,
    BATCH = WHEEL_PREFETCH,
    LATENESS_RATE = 10, /* a millisecond */
    LATENESS_MS = 10000,
};

struct op {
    struct uuid order;
    int64_t due;
};

static struct wheel *wheels[PARTITIONS];
static int64_t start_ms, next_offset[PARTITIONS];
static uint64_t key;

static int64_t ns_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(void) {
    return ns_of(CLOCK_MONOTONIC);
}

/* For the longest of millions: of its own, not of what else the machine had to do just then. */
static int64_t cpu_ns(void) {
    return ns_of(CLOCK_THREAD_CPUTIME_ID);
}

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t mixed(uint64_t x) { /* splitmix64's way from a number to a random one, the same each time */
    x = (x + key) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct op op_of(uint64_t n) {
    uint64_t half[2] = {mixed(2 * n), mixed(2 * n + 1)};
    struct op op = {.due = start_ms + 1 + (int64_t)(mixed(~n) % HOLD)};
    memcpy(op.order.b, half, sizeof op.order.b);
    return op;
}

static void die(const char *what) {
    fprintf(stderr, "bench_wheel: %s\n", what);
    exit(1);
}

static void report(const char *measure, double value) {
    printf("%s %.3f\n", measure, value);
    fflush(stdout);
}

static void add(int partition, const struct op *op) {
    if (!wheel_add(wheels[partition], &op->order, &op->order, next_offset[partition]++, op->due))
        die("known already");
}

static double bytes_a_timer(void) {
    size_t bytes = 0, count = 0;
    for (int p = 0; p < PARTITIONS; p++) {
        bytes += wheel_bytes(wheels[p]);
        count += wheel_count(wheels[p]);
    }
    return (double)bytes / (double)count;
}

static int64_t resident(void) {
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1) die("/proc/self/statm");
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/* --- from none to all --- */

static void fill(uint64_t timers) {
    int64_t spent = 0, longest = 0, before = resident();
    for (uint64_t n = 0; n < timers; n += BATCH) {
        int partition = (int)(n / BATCH % PARTITIONS);
        struct op ops[BATCH];
        struct uuid orders[BATCH];
        int64_t due[BATCH];
        for (uint64_t i = 0; i < BATCH; i++) {
            ops[i] = op_of(n + i);
            orders[i] = ops[i].order;
            due[i] = ops[i].due;
        }
        int64_t cpu = cpu_ns(), begin = now_ns();
        wheel_prefetch(wheels[partition], orders, due, BATCH);
        for (int i = 0; i < BATCH; i++)
            add(partition, &ops[i]);
        spent += now_ns() - begin;
        int64_t took = cpu_ns() - cpu;
        if (took > longest) longest = took;
    }
    report("fill_ns", (double)spent / (double)timers);
    report("fill_longest_batch_us", (double)longest / 1000);
    report("bytes_a_timer", bytes_a_timer());
    report("resident_a_timer", (double)(resident() - before) / (double)timers);
}

/* --- one goes, one comes --- */

enum { ROUND = 1 << 16 };
static struct op gone[ROUND], come[ROUND];

/* Which orders pend: at the place of each that goes, one comes. A batch of places is a partition's. */
static uint64_t *pending, next_order;

static int partition_of(int i) {
    return i / (BATCH / 2) % PARTITIONS;
}

static void prepare(uint64_t timers) {
    for (int i = 0; i < ROUND; i++) {
        uint64_t random = mixed(next_order ^ UINT64_C(1) << 60), batches = timers / BATCH / PARTITIONS;
        uint64_t batch = random % batches * PARTITIONS + (uint64_t)partition_of(i);
        uint64_t place = batch * BATCH + random / batches % BATCH;
        gone[i] = op_of(pending[place]);
        pending[place] = next_order++;
        come[i] = op_of(pending[place]);
    }
}

static void pairs_one_by_one(int from) {
    for (int i = from; i < from + BATCH / 2; i++) {
        add(partition_of(i), &come[i]);
        if (!wheel_remove(wheels[partition_of(i)], &gone[i].order)) die("not known");
    }
}

/* Records come in batches: what a batch names is announced. */
static void pairs_announced(int from) {
    struct uuid orders[BATCH];
    int64_t due[BATCH];
    for (int i = 0; i < BATCH / 2; i++) {
        orders[2 * i] = gone[from + i].order;
        orders[2 * i + 1] = come[from + i].order;
        due[2 * i] = gone[from + i].due;
        due[2 * i + 1] = come[from + i].due;
    }
    wheel_prefetch(wheels[partition_of(from)], orders, due, BATCH);
    pairs_one_by_one(from);
}

static void turn_over(const char *measure, uint64_t timers, uint64_t pairs, void (*some)(int from)) {
    size_t rounds = pairs / ROUND + 1;
    int64_t *took = calloc(rounds, sizeof *took);
    for (size_t round = 0; round < rounds; round++) {
        prepare(timers);
        int64_t begin = now_ns();
        for (int i = 0; i < ROUND; i += BATCH / 2)
            some(i);
        took[round] = now_ns() - begin;
    }
    qsort(took, rounds, sizeof *took, ascending);
    report(measure, (double)took[rounds / 2] / ROUND);
    free(took);
}

/* --- time passes --- */

static int64_t later(void *ctx, const struct wheel_timer *t) {
    *(int64_t *)ctx += t->attempt;
    return INT64_MAX;
}

/* Fifteen minutes, millisecond after millisecond. */
static void expire_all(uint64_t timers) {
    int64_t again = 0, longest = 0, begin = now_ns();
    uint64_t fired = 0;
    for (int64_t now = start_ms; now <= start_ms + HOLD; now++) {
        int64_t cpu = cpu_ns();
        for (int p = 0; p < PARTITIONS; p++)
            fired += (uint64_t)wheel_expire(wheels[p], now, 1 << 30, later, &again);
        int64_t took = cpu_ns() - cpu;
        if (took > longest) longest = took;
    }
    report("expiries_a_second", (double)fired / (double)(now_ns() - begin) * 1e9);
    report("expire_longest_us", (double)longest / 1000);
    if (fired != timers || again != 0) die("not each fired once");
}

/* All of them, a day late: as after a pause. */
static void expire_late(uint64_t timers) {
    int64_t again = 0, begin = now_ns();
    uint64_t fired = 0;
    for (int p = 0; p < PARTITIONS; p++)
        for (int n = 1; n > 0; fired += (uint64_t)n)
            n = wheel_expire(wheels[p], start_ms + HOLD + 86400000, 1000, later, &again);
    report("late_expiries_a_second", (double)fired / (double)(now_ns() - begin) * 1e9);
    if (fired != timers) die("not each fired once");
}

static int64_t lateness[LATENESS_RATE * LATENESS_MS];
static int fired_in_time;

static int64_t note_lateness(void *ctx, const struct wheel_timer *t) {
    (void)ctx;
    if (t->attempt == 0) lateness[fired_in_time++] = clock_wall_us() - t->due_ms * 1000;
    return INT64_MAX;
}

/* In real time, woken by the system's clock for the wheel's next moment. */
static void measure_lateness(void) {
    int64_t now = clock_wall_us() / 1000, begin = now + 1000;
    struct wheel *w = wheel_new(now);
    for (int i = 0; i < LATENESS_RATE * LATENESS_MS; i++) {
        struct op op = op_of((uint64_t)i);
        wheel_add(w, &op.order, &op.order, i, begin + i / LATENESS_RATE);
    }
    while (fired_in_time < LATENESS_RATE * LATENESS_MS) {
        int64_t next = wheel_next_ms(w);
        struct timespec until = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};
        clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
        wheel_expire(w, clock_wall_us() / 1000, 1000, note_lateness, NULL);
    }
    wheel_free(w);
    qsort(lateness, (size_t)fired_in_time, sizeof *lateness, ascending);
    if (lateness[0] < 0) die("too early");
    report("late_p50_ms", (double)lateness[fired_in_time / 2] / 1000);
    report("late_p99_ms", (double)lateness[fired_in_time / 100 * 99] / 1000);
}

int main(int argc, char **argv) {
    if (argc != 3) die("usage: bench_wheel TIMERS PAIRS");
    uint64_t all = BATCH * PARTITIONS, timers = strtoull(argv[1], NULL, 10) / all * all,
             pairs = strtoull(argv[2], NULL, 10);
    if (timers == 0 || getrandom(&key, sizeof key, 0) != sizeof key) die("nothing to do");
    start_ms = clock_wall_us() / 1000;
    for (int p = 0; p < PARTITIONS; p++)
        wheels[p] = wheel_new(start_ms);
    pending = malloc(timers * sizeof *pending);
    for (next_order = 0; next_order < timers; next_order++)
        pending[next_order] = next_order;
    fill(timers);
    turn_over("pair_ns", timers, pairs, pairs_announced);
    turn_over("pair_alone_ns", timers, pairs, pairs_one_by_one);
    report("bytes_a_timer_then", bytes_a_timer());
    expire_all(timers);
    expire_late(timers);
    for (int p = 0; p < PARTITIONS; p++)
        wheel_free(wheels[p]);
    free(pending);
    measure_lateness();
    return 0;
}
