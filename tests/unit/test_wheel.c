/* The timer wheel: by hand, and against a model that looks at every timer each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "wheel.h"

#define T0   INT64_C(1790000000123)
#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

enum { HOLD = 900000 };

static struct uuid id_of(uint64_t n) {
    struct uuid id = {{0x01, 0x99}};
    for (int i = 0; i < 8; i++)
        id.b[15 - i] = (uint8_t)(n >> 8 * i);
    return id;
}

static uint64_t number_of(const struct uuid *id) {
    uint64_t n = 0;
    for (int i = 8; i < 16; i++)
        n = n << 8 | id->b[i];
    return n;
}

enum { TICKETS = 1 << 20 };

static bool add(struct wheel *w, uint64_t n, int64_t offset, int64_t due) {
    struct uuid order = id_of(n), ticket = id_of(n + TICKETS);
    return wheel_add(w, &order, &ticket, offset, due);
}

static bool remove_one(struct wheel *w, uint64_t n) {
    struct uuid order = id_of(n);
    return wheel_remove(w, &order);
}

/* What fired, and the answer that all get. */
struct fired {
    int64_t again;
    int n;
    struct wheel_timer last;
};

static int64_t note(void *ctx, const struct wheel_timer *t) {
    struct fired *f = ctx;
    f->n++;
    f->last = *t;
    return f->again;
}

static int expire(struct wheel *w, int64_t now) {
    struct fired f = {.again = INT64_MAX};
    int n = wheel_expire(w, now, 1000000, note, &f);
    assert_int_equal(n, f.n);
    return n;
}

static int setup(void **state) {
    *state = wheel_new(T0);
    return 0;
}

static int teardown(void **state) {
    wheel_free(*state);
    return 0;
}

/* --- by hand --- */

static void fires_at_its_millisecond(void **state) {
    static const int64_t ahead[] = {1,
                                    2,
                                    2047,
                                    2048,
                                    2049,
                                    HOLD,
                                    (1 << 22) - 1,
                                    (1 << 22),
                                    3 * HOUR,
                                    INT64_C(1) << 32,
                                    (INT64_C(1) << 32) + 1,
                                    400 * DAY};
    for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
        struct wheel *w = wheel_new(T0);
        assert_true(add(w, 1, 7, T0 + ahead[i]));
        assert_int_equal(expire(w, T0 + ahead[i] - 1), 0);
        struct fired f = {.again = T0 + ahead[i] + 1000};
        assert_int_equal(wheel_expire(w, T0 + ahead[i], 10, note, &f), 1);
        assert_int_equal(number_of(&f.last.order), 1);
        assert_int_equal(number_of(&f.last.ticket), 1 + TICKETS);
        assert_int_equal(f.last.due_ms, T0 + ahead[i]);
        assert_int_equal(f.last.attempt, 0);
        wheel_free(w);
    }
    (void)state;
}

static void stays_until_it_is_over(void **state) {
    struct wheel *w = *state;
    add(w, 1, 42, T0 + 10);
    struct fired f = {0};
    for (int attempt = 0; attempt < 2000; attempt++) {
        int64_t now = T0 + 10 + 2000 * attempt;
        f.again = now + 2000;
        assert_int_equal(wheel_expire(w, now - 1, 10, note, &f), 0);
        assert_int_equal(wheel_expire(w, now, 10, note, &f), 1);
        assert_int_equal(f.last.due_ms, T0 + 10);
        assert_int_equal(f.last.attempt, attempt);
        assert_int_equal(wheel_oldest_offset(w), 42);
    }
    assert_true(remove_one(w, 1));
    assert_false(remove_one(w, 1));
    assert_int_equal(wheel_count(w), 0);
    assert_int_equal(wheel_oldest_offset(w), -1);
    assert_int_equal(wheel_next_ms(w), INT64_MAX);
    assert_int_equal(expire(w, T0 + DAY), 0);
}

static void the_past_fires_at_once_the_far_future_never(void **state) {
    struct wheel *w = *state;
    static const int64_t past[] = {INT64_MIN, -1, 0, 1, T0 - 400 * DAY, T0 - 1, T0};
    for (size_t i = 0; i < sizeof past / sizeof *past; i++)
        assert_true(add(w, i, (int64_t)i, past[i]));
    assert_true(wheel_next_ms(w) <= T0);
    assert_int_equal(expire(w, T0), 7);
    for (uint64_t i = 0; i < 7; i++)
        assert_true(remove_one(w, i));
    add(w, 100, 100, INT64_MAX);
    add(w, 101, 101, WHEEL_LAST_MS);
    assert_int_equal(expire(w, INT64_MAX), 0);
    assert_int_equal(expire(w, INT64_MIN), 0);
    assert_int_equal(wheel_count(w), 2);
    assert_true(remove_one(w, 100));
    assert_true(remove_one(w, 101));
}

static void known_orders_change_nothing(void **state) {
    struct wheel *w = *state;
    assert_true(add(w, 1, 10, T0 + 50));
    assert_false(add(w, 1, 5, T0 + 50));
    assert_int_equal(wheel_oldest_offset(w), 10);
    assert_int_equal(wheel_count(w), 1);
    assert_int_equal(expire(w, T0 + 49), 0);
    assert_int_equal(expire(w, T0 + 50), 1);
    assert_false(add(w, 1, 11, T0 + 50));
    assert_int_equal(expire(w, T0 + 50), 0);
}

/* Its payment waited in line for longer than the hold, so its buyer has got more time. */
static void one_that_is_due_later_now_fires_then(void **state) {
    struct wheel *w = *state;
    struct fired f = {.again = T0 + HOUR};
    add(w, 1, 10, T0 + 50);
    assert_int_equal(wheel_expire(w, T0 + 60, 9, note, &f), 1);
    assert_false(add(w, 1, 11, T0 + 1000));
    assert_int_equal(wheel_oldest_offset(w), 10);
    assert_int_equal(wheel_expire(w, T0 + 999, 9, note, &f), 0);
    assert_int_equal(wheel_expire(w, T0 + 1000, 9, note, &f), 1);
    assert_int_equal(f.last.attempt, 0);
    assert_int_equal(f.last.due_ms, T0 + 1000);
    assert_false(add(w, 1, 12, T0 + 1000));
    assert_int_equal(wheel_expire(w, T0 + 1001, 9, note, &f), 0);
}

static void no_more_than_max_and_none_twice(void **state) {
    struct wheel *w = *state;
    for (uint64_t n = 0; n < 1000; n++)
        add(w, n, (int64_t)n, n < 500 ? T0 + 5 : T0 + 7);
    struct fired f = {.again = 0}; /* long past: must not come again in this call */
    for (int i = 0; i < 7; i++)
        assert_int_equal(wheel_expire(w, T0 + 100, 150, note, &f), i < 6 ? 150 : 100);
    assert_int_equal(wheel_expire(w, T0 + 100, 150, note, &f), 0);
    assert_int_equal(wheel_expire(w, T0 + 101, 2000, note, &f), 1000);
}

/* Set back by an hour, the clock passes the same hour again: what is due in it is due then. */
static void the_clock_may_be_set_back(void **state) {
    struct wheel *w = *state;
    add(w, 1, 1, T0 + 10);
    add(w, 2, 2, T0 + 3000);
    add(w, 3, 3, T0 + 2 * HOUR);
    assert_int_equal(expire(w, T0), 0);
    int64_t now = T0 - HOUR;
    assert_int_equal(expire(w, now), 0);
    add(w, 4, 4, now + 500);
    assert_true(wheel_next_ms(w) <= now + 500);
    assert_int_equal(expire(w, now + 499), 0);
    assert_int_equal(expire(w, now + 500), 1);
    assert_true(remove_one(w, 4));
    assert_int_equal(expire(w, T0 + 9), 0);
    assert_int_equal(expire(w, T0 + 10), 1);
    assert_int_equal(expire(w, T0 + 3000), 1);
    assert_int_equal(expire(w, T0 + 2 * HOUR - 1), 0);
    assert_int_equal(expire(w, T0 + 2 * HOUR), 1);
}

/* Overdue when it was added, and then the clock is set back: it was not that late. */
static void overdue_by_a_wrong_clock(void **state) {
    struct wheel *w = *state;
    add(w, 1, 1, T0 - 1000);
    assert_int_equal(expire(w, T0 - 1001), 0);
    assert_int_equal(expire(w, T0 - 1000), 1);
}

/* What was signalled comes again after the wait that was left of its own, not after the hour as well. */
static void set_back_it_comes_again_as_soon(void **state) {
    struct wheel *w = *state;
    add(w, 1, 1, T0 - 2 * HOUR);
    add(w, 2, 2, T0);
    struct fired f = {.again = T0 + 5000};
    assert_int_equal(wheel_expire(w, T0, 10, note, &f), 2);
    assert_int_equal(expire(w, T0 + 2000), 0);
    int64_t now = T0 + 2000 - HOUR;
    assert_int_equal(expire(w, now), 0);
    assert_int_equal(expire(w, now + 2999), 0);
    assert_int_equal(expire(w, now + 3000), 1);
    assert_true(remove_one(w, 1));
    assert_int_equal(expire(w, T0 - 1), 0); /* the other is not due yet, by the clock as it is now */
    assert_int_equal(expire(w, T0), 1);
}

/* Not worth a look at each timer: what came to be due in that second does so when it has passed again. */
static void a_small_step_back_is_waited_for(void **state) {
    struct wheel *w = *state;
    add(w, 1, 1, T0 + 5);
    add(w, 2, 2, T0 + 20);
    assert_int_equal(expire(w, T0 + 10), 1);
    int64_t now = T0 + 10 - WHEEL_SET_BACK_MS;
    add(w, 3, 3, now + 1);
    assert_int_equal(expire(w, now), 0);
    assert_int_equal(expire(w, now + 2), 0);
    assert_int_equal(wheel_next_ms(w), T0 + 10);
    assert_int_equal(expire(w, T0 + 10), 1);
    assert_int_equal(expire(w, T0 + 20), 1);
}

static void the_oldest_offset_by_thousands(void **state) {
    struct wheel *w = *state;
    enum { MANY = 100000, NEAR = 1024 };
    for (uint64_t n = 0; n < MANY; n++)
        add(w, n, 5000000 + (int64_t)n, T0 + HOLD);
    assert_int_equal(wheel_oldest_offset(w), 5000000);
    for (uint64_t n = 0; n < MANY - 1; n++) {
        remove_one(w, n);
        assert_in_range(wheel_oldest_offset(w), 5000000 + n + 1 - NEAR, 5000000 + n + 1);
    }
    add(w, 1, 4000000, T0 + HOLD); /* read again */
    assert_int_equal(wheel_oldest_offset(w), 4000000);
    add(w, 2, 6000000, T0 + HOLD);
    remove_one(w, 1);
    remove_one(w, MANY - 1);
    assert_in_range(wheel_oldest_offset(w), 6000000 - NEAR, 6000000);
    remove_one(w, 2);
    assert_int_equal(wheel_oldest_offset(w), -1);
    add(w, 3, 17, T0 + HOLD);
    assert_int_equal(wheel_oldest_offset(w), 17);
}

static void a_long_pause_loses_nothing(void **state) {
    struct wheel *w = *state;
    for (uint64_t n = 0; n < 1000; n++)
        add(w, n, (int64_t)n, T0 + (int64_t)n * DAY / 11);
    int64_t now = T0 + 91 * DAY;
    struct fired f = {.again = now + HOUR};
    assert_int_equal(wheel_expire(w, now, 2000, note, &f), 1000);
    assert_int_equal(expire(w, now + HOUR - 1), 0);
    assert_int_equal(expire(w, now + HOUR), 1000);
}

static void an_absurd_pause_loses_nothing(void **state) {
    struct wheel *w = *state;
    for (uint64_t n = 0; n < 1000; n++)
        add(w, n, (int64_t)n, T0 + (int64_t)n * DAY);
    assert_int_equal(expire(w, T0 + 2000 * DAY), 1000);
    assert_int_equal(expire(w, T0 + 2000 * DAY + WHEEL_MAX_BACKOFF_MS), 1000);
    for (uint64_t n = 0; n < 1000; n++)
        assert_true(remove_one(w, n));
}

static void follows_its_own_alarm_clock(void **state) {
    struct wheel *w = *state;
    add(w, 1, 1, T0 + HOLD);
    int64_t now = T0;
    int wakes = 0;
    for (int n = 0; n == 0; wakes++) {
        assert_true(wheel_next_ms(w) > now && wheel_next_ms(w) <= T0 + HOLD);
        now = wheel_next_ms(w);
        n = expire(w, now);
    }
    assert_int_equal(now, T0 + HOLD);
    assert_true(wakes <= 2);
}

/* Ten days an hour's work: no tick of them is looked at. */
static void empty_time_costs_nothing(void **state) {
    struct wheel *w = *state;
    add(w, 1, 1, WHEEL_LAST_MS - 1);
    int64_t begin = clock_mono_us(), now = T0;
    for (int i = 0; i < 2000; i++)
        expire(w, now += 10 * DAY);
    assert_true(clock_mono_us() - begin < 2000000);
}

static void memory_is_bounded_and_comes_back(void **state) {
    struct wheel *w = *state;
    enum { MANY = 1000000, SMALL = 4 << 20 };
    size_t idle = wheel_bytes(w);
    assert_true(idle < SMALL);
    for (uint64_t n = 0; n < MANY; n++) {
        assert_true(add(w, n, (int64_t)n, T0 + HOLD + (int64_t)(n % 60000)));
        assert_true(wheel_bytes(w) <= SMALL + 100 * wheel_count(w));
    }
    for (uint64_t n = 0; n < MANY; n += 2)
        assert_true(remove_one(w, n));
    for (uint64_t n = 0; n < MANY; n += 2)
        assert_true(add(w, n, (int64_t)(MANY + n), T0 + HOLD));
    assert_int_equal(wheel_count(w), MANY);
    assert_true(wheel_bytes(w) <= SMALL + 100 * (size_t)MANY); /* those that went made room */
    for (uint64_t n = 0; n < MANY; n++)
        assert_true(remove_one(w, n));
    assert_int_equal(wheel_count(w), 0);
    assert_true(wheel_bytes(w) <= idle + MANY / 100);
    assert_true(add(w, 1, 1, T0 + 1));
    assert_int_equal(expire(w, T0 + 1), 1);
}

/* --- against the model --- */

enum { ORDERS = 400 };

struct order {
    bool pending, fired; /* fired: in this call */
    int attempt;
    int64_t offset, due, again; /* again: from the second attempt on, when */
    int64_t tick;               /* where that puts it in the order of firing */
};

struct model {
    struct wheel *wheel;
    struct order orders[ORDERS];
    int64_t now, wheel_now; /* wheel_now: where a bounded call stopped */
    int64_t next_offset;
    uint64_t random;
    int64_t last_tick; /* of this call */
};

static uint64_t draw(struct model *m, uint64_t below) {
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return m->random % below;
}

/* As often in any order of magnitude up to 2^bits. */
static int64_t magnitude(struct model *m, int bits) {
    return (int64_t)draw(m, UINT64_C(1) << draw(m, (uint64_t)bits + 1));
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t again_after(struct model *m) {
    return draw(m, 8) == 0 ? m->now - magnitude(m, 40) : m->now + magnitude(m, 27);
}

static int64_t model_fire(void *ctx, const struct wheel_timer *t) {
    struct model *m = ctx;
    uint64_t n = number_of(&t->order);
    assert_true(n < ORDERS);
    struct order *o = &m->orders[n];
    assert_true(o->pending);
    assert_false(o->fired);
    assert_true(o->due <= m->now && o->tick <= m->now);
    assert_true(o->tick >= m->last_tick);
    assert_int_equal(number_of(&t->ticket), n + TICKETS);
    assert_int_equal(t->due_ms, o->due);
    assert_int_equal(t->attempt, o->attempt);
    m->last_tick = o->tick;
    o->fired = true;
    o->attempt++;
    int64_t again = again_after(m);
    o->again = o->tick = least(most(again, m->now + 1), m->now + WHEEL_MAX_BACKOFF_MS);
    return again;
}

static void model_turn_back(struct model *m) {
    for (int i = 0; i < ORDERS; i++) {
        struct order *o = &m->orders[i];
        o->again -= m->wheel_now - m->now;
        o->tick = most(o->attempt == 0 ? o->due : most(o->due, o->again), m->now);
    }
    m->wheel_now = m->now;
}

static void model_expire(struct model *m, int max) {
    if (m->now < m->wheel_now - WHEEL_SET_BACK_MS) model_turn_back(m);
    int due = 0;
    for (int i = 0; i < ORDERS; i++) {
        m->orders[i].fired = false;
        due += m->orders[i].pending && m->orders[i].tick <= m->now;
    }
    m->last_tick = INT64_MIN;
    int n = wheel_expire(m->wheel, m->now, max, model_fire, m);
    assert_int_equal(n, least(due, max));
    m->wheel_now = n == max ? m->last_tick : most(m->now, m->wheel_now);
    for (int i = 0; i < ORDERS; i++)
        if (m->orders[i].pending && !m->orders[i].fired && m->orders[i].tick <= m->now)
            assert_true(m->orders[i].tick >= m->last_tick);
}

static int64_t some_due(struct model *m) {
    int64_t due = draw(m, 4) == 0 ? m->now - magnitude(m, 41) : m->now + magnitude(m, 41);
    if (draw(m, 3) == 0) due = m->now + HOLD + (int64_t)draw(m, 3);
    return most(0, least(due, WHEEL_LAST_MS));
}

static void model_add(struct model *m) {
    uint64_t n = draw(m, ORDERS);
    struct order *o = &m->orders[n];
    int64_t offset = m->next_offset, due = some_due(m);
    if (draw(m, 10) == 0) offset = (int64_t)draw(m, (uint64_t)offset + 1); /* read again */
    m->next_offset += magnitude(m, 14);
    assert_int_equal(add(m->wheel, n, offset, due), !o->pending);
    if (o->pending && o->due == due) return;
    if (o->pending) offset = o->offset;
    *o = (struct order){.pending = true, .offset = offset, .due = due, .tick = most(due, m->wheel_now)};
}

static void model_remove(struct model *m) {
    uint64_t n = draw(m, ORDERS);
    assert_int_equal(remove_one(m->wheel, n), m->orders[n].pending);
    m->orders[n].pending = false;
}

static void model_prefetch(struct model *m) {
    struct uuid ids[WHEEL_PREFETCH];
    int64_t due[WHEEL_PREFETCH];
    size_t n = draw(m, WHEEL_PREFETCH + 1);
    for (size_t i = 0; i < n; i++) {
        ids[i] = id_of(draw(m, ORDERS));
        due[i] = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : (int64_t)draw(m, UINT32_MAX);
    }
    wheel_prefetch(m->wheel, ids, due, n);
}

/* Mostly on by little; at times far ahead, or back. */
static void model_time(struct model *m) {
    uint64_t kind = draw(m, 16);
    if (kind < 12)
        m->now += magnitude(m, 8);
    else if (kind < 15)
        m->now += magnitude(m, 31);
    else
        m->now -= magnitude(m, 31);
    m->now = most(T0 - 40 * DAY, least(m->now, T0 + 40 * DAY));
}

static void check(const struct model *m) {
    size_t pending = 0;
    int64_t first = INT64_MAX, oldest = INT64_MAX;
    for (int i = 0; i < ORDERS; i++) {
        const struct order *o = &m->orders[i];
        if (!o->pending) continue;
        pending++;
        first = least(first, o->tick);
        oldest = least(oldest, o->offset);
    }
    assert_int_equal(wheel_count(m->wheel), pending);
    int64_t said = wheel_oldest_offset(m->wheel);
    if (pending == 0) {
        assert_int_equal(wheel_next_ms(m->wheel), INT64_MAX);
        assert_int_equal(said, -1);
    } else {
        assert_true(wheel_next_ms(m->wheel) <= first);
        assert_true(said <= oldest && said > oldest - 1024);
    }
}

static void run_model(uint64_t random) {
    struct model m = {.wheel = wheel_new(T0), .now = T0, .wheel_now = T0, .random = random};
    for (int step = 0; step < 4000; step++) {
        uint64_t kind = draw(&m, 100);
        if (kind < 40)
            model_add(&m);
        else if (kind < 60)
            model_remove(&m);
        else if (kind < 65)
            model_prefetch(&m);
        else if (kind < 80)
            model_time(&m);
        else
            model_expire(&m, draw(&m, 2) ? 1 + (int)draw(&m, 20) : ORDERS + 1);
        check(&m);
    }
    wheel_free(m.wheel);
}

static char seed[40]; /* of the round at hand: how to see a failure again */

static int show_seed(void **state) {
    if (seed[0] != '\0') print_error("%s\n", seed);
    return teardown(state);
}

static void as_the_model(void **state) {
    (void)state;
    const char *given = getenv("WHEEL_SEED");
    uint64_t first = given ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_us();
    int rounds = given ? 1 : 100;
    for (int i = 0; i < rounds; i++) {
        uint64_t next = first + (uint64_t)i;
        snprintf(seed, sizeof seed, "WHEEL_SEED=%llu", (unsigned long long)next);
        run_model(next);
    }
    seed[0] = '\0';
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(fires_at_its_millisecond),
                                       T(stays_until_it_is_over),
                                       T(the_past_fires_at_once_the_far_future_never),
                                       T(known_orders_change_nothing),
                                       T(one_that_is_due_later_now_fires_then),
                                       T(no_more_than_max_and_none_twice),
                                       T(the_clock_may_be_set_back),
                                       T(overdue_by_a_wrong_clock),
                                       T(set_back_it_comes_again_as_soon),
                                       T(a_small_step_back_is_waited_for),
                                       T(the_oldest_offset_by_thousands),
                                       T(a_long_pause_loses_nothing),
                                       T(an_absurd_pause_loses_nothing),
                                       T(follows_its_own_alarm_clock),
                                       T(empty_time_costs_nothing),
                                       T(memory_is_bounded_and_comes_back),
                                       cmocka_unit_test_setup_teardown(as_the_model, setup, show_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
