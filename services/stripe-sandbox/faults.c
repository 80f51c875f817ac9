#include "faults.h"

#include <sys/random.h>

#include "clock.h"

const char *const faults_names[FAULTS] = {
#define X(name, text, help) text,
    FAULT_TABLE(X)
#undef X
};
const char *const faults_delay_names[DELAYS] = {
#define X(name, text, first, most, help) text,
    DELAY_TABLE(X)
#undef X
};
static const struct {
    int64_t first, most;
} limits[DELAYS] = {
#define X(name, text, first, most, help) {first, most},
    DELAY_TABLE(X)
#undef X
};

void faults_reset(struct faults *f) {
    for (int i = 0; i < FAULTS; i++) {
        f->shares[i] = 0;
        f->next[i] = 0;
    }
    for (int i = 0; i < DELAYS; i++)
        f->delays[i] = limits[i].first;
}

/* xorshift64*: of each thread its own, so that chance costs nothing. */
static uint64_t draw(void) {
    static _Thread_local uint64_t seed;
    while (seed == 0)
        if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) seed = 0;
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(2685821657736338717);
}

int64_t faults_random(int64_t most) {
    return (int64_t)(draw() % ((uint64_t)most + 1));
}

static bool take_one(_Atomic int64_t *next) {
    int64_t left = atomic_load(next);
    while (left > 0)
        if (atomic_compare_exchange_weak(next, &left, left - 1)) return true;
    return false;
}

bool faults_strike(struct faults *f, enum fault fault) {
    if (take_one(&f->next[fault])) return true;
    double share = atomic_load(&f->shares[fault]);
    return share > 0 && (double)(draw() >> 11) * 0x1p-53 < share;
}

int64_t faults_delay(const struct faults *f, enum delay delay) {
    return atomic_load(&f->delays[delay]);
}

/* Two requests at the turn of a second may count in the wrong one. */
bool faults_too_many(struct faults *f) {
    int64_t most = atomic_load(&f->delays[DELAY_REQUESTS]), now_s = clock_mono_us() / 1000000;
    if (most == 0) return false;
    if (atomic_exchange(&f->second, now_s) != now_s) atomic_store(&f->requests, 0);
    return atomic_fetch_add(&f->requests, 1) >= most;
}

/* Whether name is `start` and then `end`. */
static bool is_name(struct str name, const char *start, const char *end) {
    size_t n = strlen(start);
    return name.n > n && memcmp(name.p, start, n) == 0 &&
           str_eq((struct str){name.p + n, name.n - n}, str_of(end));
}

const char *faults_set(struct faults *f, struct str name, double value, bool *kept) {
    *kept = true;
    for (int i = 0; i < FAULTS; i++) {
        if (str_eq(name, str_of(faults_names[i]))) {
            if (!(value >= 0 && value <= 1)) return "must be a share from 0 to 1";
            f->shares[i] = value;
            return NULL;
        }
        if (!is_name(name, faults_names[i], "_next")) continue;
        *kept = false;
        if (!(value >= 0 && value <= 1e9)) return "must be a number from 0 to 1000000000";
        f->next[i] = (int64_t)value;
        return NULL;
    }
    for (int i = 0; i < DELAYS; i++) {
        if (!str_eq(name, str_of(faults_delay_names[i]))) continue;
        if (!(value >= 0 && value <= (double)limits[i].most))
            return "must be a number that is not negative, and not as large";
        f->delays[i] = (int64_t)value;
        return NULL;
    }
    return "is no setting";
}
