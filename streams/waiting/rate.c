#include "rate.h"

#include <math.h>
#include <stdlib.h>

#include "mem.h"

static const double second_us = 1e6;

void rate_free(struct rate *r) {
    free(r->processes);
    *r = (struct rate){0};
}

/* Payments have eight tenths of the requests to Stripe, and each takes one. */
int64_t rate_top(const struct rate_settings *settings) {
    int64_t payments = settings->payments * 8 / 10;
    if (settings->payments == 0 || settings->most < payments) return settings->most;
    return payments < 1 ? 1 : payments;
}

static double low(const struct rate_settings *settings) {
    return fmax(1, (double)rate_top(settings) / RATE_LOW);
}

/* --- what processes say --- */

static struct rate_process *process_of(struct rate *r, const struct uuid *instance) {
    for (int i = 0; i < r->count; i++)
        if (uuid_eq(&r->processes[i].instance, instance)) return &r->processes[i];
    r->processes = mem_grow(r->processes, (size_t)(r->count + 1) * sizeof *r->processes);
    r->processes[r->count] = (struct rate_process){.instance = *instance};
    return &r->processes[r->count++];
}

/* Refusals count from one in a hundred on: a single one has other reasons. One that stands has just begun to
 * if it did not before. */
static bool refuses(const struct rate_process *p, const struct load_event *e, bool stands) {
    return (int64_t)e->refused * 100 > (int64_t)e->placed + e->refused || (stands && p->stands);
}

void rate_hear(struct rate *r, const struct rate_settings *settings, const struct load_event *e,
               int64_t now_us) {
    if (e->period_ms < 1) return;
    struct rate_process *p = process_of(r, &e->instance);
    bool stands = e->waiting > 0 && e->answered == 0;
    if (refuses(p, e, stands)) r->refuses = true;
    p->slowness = e->has_p99_us ? (double)e->p99_us / ((double)settings->p99_ms * 1000) : 0;
    bool slow = p->slowness > 1;
    p->drains = slow && e->waiting < p->waiting - p->waiting / 10;
    if (slow && !p->drains) r->slow = true;
    p->heard_us = now_us;
    p->waiting = e->waiting;
    p->placed = (double)e->placed * 1000 / e->period_ms;
    p->stands = stands;
}

static double placed_by_all(const struct rate *r) {
    double sum = 0;
    for (int i = 0; i < r->count; i++)
        sum += r->processes[i].placed;
    return sum;
}

/* Of the slowest. */
static double slowness(const struct rate *r) {
    double most = 0;
    for (int i = 0; i < r->count; i++)
        most = fmax(most, r->processes[i].slowness);
    return most;
}

static bool drains(const struct rate *r) {
    for (int i = 0; i < r->count; i++)
        if (r->processes[i].drains) return true;
    return false;
}

/* The part of what was placed that those placed who are gone. */
static double forget_silent(struct rate *r, int64_t now_us) {
    double all = placed_by_all(r), gone = 0;
    int left = 0;
    for (int i = 0; i < r->count; i++) {
        if (now_us - r->processes[i].heard_us > RATE_SILENCE_S * INT64_C(1000000))
            gone += r->processes[i].placed;
        else
            r->processes[left++] = r->processes[i];
    }
    r->count = left;
    return all > 0 ? gone / all : 0;
}

/* --- the rate --- */

static void fall(struct rate *r, const struct rate_settings *settings, int64_t now_us) {
    double least = r->people / 2, most = r->people * 3 / 4;
    r->borne = placed_by_all(r);
    double people = fmin(most, fmax(least, r->borne * 3 / 4));
    r->people = r->refuses ? people : fmax(people, fmin(r->people, low(settings)));
    r->fell_us = r->calm_us = now_us;
}

/* It is not known what orders bears, and whoever comes in does buy. Some take their time, or do not buy. */
static bool finds_out(const struct rate *r) {
    return r->borne == 0 && placed_by_all(r) >= r->people / 2;
}

/* As the setting may be far more than orders bears, never by more than an eighth of what the rate is. */
static double growth_a_second(const struct rate *r, const struct rate_settings *settings, int64_t now_us) {
    double calm_s = (double)(now_us - r->calm_us) / second_us;
    double careful = fmin((double)rate_top(settings) / 20, r->people / 8) * fmin(1, calm_s / RATE_CALM_S);
    if (finds_out(r)) return fmax(careful, r->people * M_LN2 / RATE_DOUBLE_S * (1 - slowness(r)));
    return r->people < r->borne * 3 / 4 ? r->people / 2 : careful;
}

/* What is placed meanwhile is what orders bears. */
static void hold(struct rate *r, int64_t now_us) {
    r->borne = fmax(r->borne, placed_by_all(r));
    r->calm_us = now_us;
}

static void hold_low(struct rate *r, const struct rate_settings *settings, int64_t now_us) {
    r->people = r->people == 0 ? low(settings) : fmin(r->people, low(settings));
    r->calm_us = now_us;
}

/* After a rest, as nobody knows: the first to come should not find it too high. */
static void rest(struct rate *r, const struct rate_settings *settings, int64_t now_us) {
    if (now_us - r->used_us <= RATE_REST_S * INT64_C(1000000)) return;
    r->people = fmin(r->people, fmax(low(settings), r->borne * 3 / 4));
    if (r->borne * 3 / 4 <= low(settings)) r->borne = 0; /* it was little that came, not much to bear */
}

static void decide(struct rate *r, const struct rate_settings *settings, bool used, double gone,
                   double passed_s, int64_t now_us) {
    bool settling = r->fell_us != 0 && now_us - r->fell_us < RATE_SETTLE_S * INT64_C(1000000);
    if (gone > 0) {
        r->people = fmin(r->people, fmax(low(settings), r->people * (1 - gone)));
        r->borne = placed_by_all(r); /* by those who are left: more is not known */
    }
    if (settling || gone > 0)
        r->calm_us = now_us;
    else if (r->slow || r->refuses)
        fall(r, settings, now_us);
    else if (drains(r))
        hold(r, now_us);
    else if (used)
        r->people += growth_a_second(r, settings, now_us) * passed_s;
    else
        rest(r, settings, now_us);
}

void rate_look(struct rate *r, const struct rate_settings *settings, bool used, int64_t now_us) {
    double passed_s = fmin(1, (double)(now_us - r->looked_us) / second_us);
    double gone = forget_silent(r, now_us);
    r->looked_us = now_us;
    if (used) r->used_us = now_us;
    if (r->count == 0 || r->people == 0)
        hold_low(r, settings, now_us);
    else
        decide(r, settings, used, gone, passed_s, now_us);
    r->slow = r->refuses = false;
    r->people = fmax(1, fmin(r->people, (double)rate_top(settings)));
}

enum rate_limit rate_limited_by(const struct rate *r, const struct rate_settings *settings) {
    if (r->count == 0) return RATE_BY_SILENCE;
    if (r->people < (double)rate_top(settings)) return RATE_BY_ORDERS;
    return rate_top(settings) < settings->most ? RATE_BY_PAYMENTS : RATE_BY_SETTING;
}
