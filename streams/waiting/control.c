#include "control.h"

/* Those whose turn has come by a moment, if it were a number a second since 1970: so nothing is lost between
 * two turns, whoever writes them. */
static int64_t by(int64_t at_us, int64_t rate) {
    return at_us / 1000 * rate / 1000;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* At most a second's worth at once, also after a time in which nobody wrote. */
static int64_t allowed(const struct room *r, const struct control_settings *settings, int64_t now_us) {
    int64_t from_us = room_served_us(r);
    if (room_serving(r) == 0 && r->offers.count == 0) from_us -= 1000000; /* the opening itself is a turn */
    if (now_us - from_us < settings->between_ms * 1000) return 0;
    return least(by(now_us, settings->rate) - by(from_us, settings->rate), settings->rate);
}

/* Nothing is left; or it is not enough for the next, and nobody else is about to take it. */
static bool is_sold_out(const struct room *r, int64_t left, int64_t now_us) {
    bool waits = room_people(r) > room_serving(r);
    return left == 0 || (left > 0 && waits && room_expected(r, now_us) == 0 && room_fitting(r, 1, left) == 0);
}

/* Only as many places as nobody else may take who was let in or offered something. */
static struct control offer(const struct room *r, const struct phase *phase, int64_t left,
                            const struct control_settings *settings, int64_t now_us) {
    int64_t most = allowed(r, settings, now_us);
    int64_t places = left - room_owed(r, phase->per_user, now_us);
    struct waitlist list = r->list;
    if (most <= 0 || places <= 0 || waitlist_next(r, &list, places, now_us) == 0) return (struct control){0};
    return (struct control){.kind = CONTROL_OFFER,
                            .round = r->round,
                            .most = (uint32_t)most,
                            .places = places,
                            .until_us = least(now_us + settings->offer_ms * 1000, phase->closes_us)};
}

static struct control serve(const struct room *r, const struct phase *phase, int64_t left,
                            const struct control_settings *settings, int64_t now_us) {
    if (r->sold_out) return offer(r, phase, left, settings, now_us);
    if (is_sold_out(r, left, now_us)) return (struct control){.kind = CONTROL_SELL_OUT, .round = r->round};
    uint32_t serving = room_serving(r);
    int64_t n = least(allowed(r, settings, now_us), (int64_t)room_people(r) - serving);
    if (n > 0 && left >= 0) n = room_fitting(r, (uint32_t)n, left - room_expected(r, now_us));
    if (n <= 0) return (struct control){0};
    return (struct control){.kind = CONTROL_SERVE,
                            .round = r->round,
                            .serving = serving + (uint32_t)n,
                            .until_us = least(now_us + settings->time_ms * 1000, phase->closes_us)};
}

static struct control of_room(const struct room *r, enum control_kind kind) {
    return (struct control){.kind = kind, .round = r->round};
}

static struct control announce(int round, const struct phase *phase) {
    return (struct control){
        .kind = CONTROL_ANNOUNCE, .round = round, .opens_us = phase->opens_us, .closes_us = phase->closes_us};
}

/* It was closed because its phase was taken away, which has come back. */
static bool goes_on(const struct room *r, const struct phase *phase, int64_t now_us) {
    return r->closed && r->places != NULL && phase->opens_us == r->opens_us &&
           now_us < r->closed_us + ROOM_KEPT_US;
}

struct control control_due(const struct room *r, const struct phase *phase, int64_t left,
                           const struct control_settings *settings, int64_t now_us) {
    if (!room_is_there(r)) {
        if (phase == NULL || phase->opens_us - settings->ahead_ms * 1000 > now_us) return (struct control){0};
        return announce(goes_on(r, phase, now_us) ? r->round : r->round + 1, phase);
    }
    /* A phase that has opened keeps its opening. */
    if (phase == NULL || (r->open && phase->opens_us != r->opens_us)) return of_room(r, CONTROL_CLOSE);
    if (phase->opens_us != r->opens_us || phase->closes_us != r->closes_us) return announce(r->round, phase);
    if (r->open) return serve(r, phase, left, settings, now_us);
    return phase->opens_us <= now_us ? of_room(r, CONTROL_OPEN) : (struct control){0};
}

double control_pace(const struct room *r, const struct control_settings *settings, int64_t now_us) {
    static const int64_t minute_us = 60 * 1000000;
    uint32_t before = 0;
    int64_t from_us = r->opened_us;
    for (uint32_t i = r->nturns; i > 0; i--)
        if (r->turns[i - 1].at_us <= now_us - minute_us) {
            before = r->turns[i - 1].serving;
            from_us = r->turns[i - 1].at_us;
            break;
        }
    uint32_t came = room_serving(r) - before;
    if (came == 0 || now_us - from_us < 1000000) return (double)settings->rate;
    return (double)came * 1e6 / (double)(now_us - from_us);
}
