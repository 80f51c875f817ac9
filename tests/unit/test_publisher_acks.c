/* The ring of acknowledgements, by hand and against a slow model that remembers everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "priv/acks.h"

static int setup(void **state) {
    struct acks *a = calloc(1, sizeof *a);
    acks_init(a);
    *state = a;
    return 0;
}

static int teardown(void **state) {
    acks_free(*state);
    free(*state);
    return 0;
}

static void only_what_all_before_allows(void **state) {
    struct acks *a = *state;
    acks_begin(a, 0);
    uint64_t first = acks_event(a);
    acks_commit(a, 100);
    acks_begin(a, 0);
    uint64_t second = acks_event(a), third = acks_event(a);
    assert_int_equal(second, third); /* one transaction, one number */
    acks_commit(a, 200);
    assert_int_equal(a->unacked, 3);

    acks_acknowledged(a, second);
    acks_acknowledged(a, third);
    assert_int_equal(a->confirmed, 0);
    acks_acknowledged(a, first);
    assert_int_equal(a->confirmed, 200);
    assert_int_equal(a->unacked, 0);
}

static void not_before_the_commit_is_read(void **state) {
    struct acks *a = *state;
    acks_begin(a, 0);
    acks_acknowledged(a, acks_event(a));
    assert_int_equal(a->confirmed, 0);
    acks_passed(a, 150); /* the WAL's end, as a keepalive inside the transaction says it */
    assert_int_equal(a->confirmed, 0);
    acks_acknowledged(a, acks_event(a));
    acks_commit(a, 100);
    assert_int_equal(a->confirmed, 100);
}

static void empty_transactions_pass(void **state) {
    struct acks *a = *state;
    acks_begin(a, 0);
    acks_commit(a, 100);
    assert_int_equal(a->confirmed, 100);
    acks_begin(a, 0);
    uint64_t event = acks_event(a);
    acks_commit(a, 200);
    acks_begin(a, 0);
    acks_commit(a, 300); /* waits for the one before */
    acks_passed(a, 400);
    assert_int_equal(a->confirmed, 100);
    acks_acknowledged(a, event);
    assert_int_equal(a->confirmed, 400);
}

static void idle_positions_pass(void **state) {
    struct acks *a = *state;
    acks_passed(a, 50);
    assert_int_equal(a->confirmed, 50);
    acks_passed(a, 40); /* never back */
    assert_int_equal(a->confirmed, 50);
}

/* --- against a model --- */

enum { TRANSACTIONS = 3000, EVENTS_MAX = 4 };

struct model {
    uint64_t end[TRANSACTIONS];
    int pending[TRANSACTIONS];
    int count; /* committed */
};

static uint64_t confirmed(const struct model *m) {
    uint64_t lsn = 0;
    for (int i = 0; i < m->count && m->pending[i] == 0; i++)
        lsn = m->end[i];
    return lsn;
}

struct outstanding {
    uint64_t number;
    int transaction;
};

/* Acknowledges one at random, most often an old one. */
static void acknowledge_one(struct acks *a, struct model *m, struct outstanding *out, int *n) {
    if (*n == 0) return;
    int i = random() % 3 == 0 ? (int)(random() % *n) : 0;
    struct outstanding o = out[i];
    for (int k = i; k + 1 < *n; k++)
        out[k] = out[k + 1];
    --*n;
    m->pending[o.transaction]--;
    acks_acknowledged(a, o.number);
}

static void any_order(void **state) {
    struct acks *a = *state;
    static struct model m;
    static struct outstanding out[TRANSACTIONS * EVENTS_MAX];
    int n = 0;
    srandom(7);
    while (m.count < TRANSACTIONS || n > 0) {
        if (m.count < TRANSACTIONS) {
            acks_begin(a, 0);
            int events = (int)(random() % (EVENTS_MAX + 1));
            for (int i = 0; i < events; i++) {
                out[n++] = (struct outstanding){acks_event(a), m.count};
                m.pending[m.count]++;
                if (random() % 4 == 0) acknowledge_one(a, &m, out, &n);
            }
            m.end[m.count] = 10 * (uint64_t)(m.count + 1);
            acks_commit(a, m.end[m.count++]);
        }
        /* Slower than they come at first, so that the ring grows, wraps and empties. */
        for (long i = random() % (m.count < TRANSACTIONS / 2 ? 3 : 6); i > 0; i--)
            acknowledge_one(a, &m, out, &n);
        assert_int_equal(a->confirmed, confirmed(&m));
        assert_int_equal(a->unacked, n);
    }
    assert_int_equal(a->confirmed, 10 * TRANSACTIONS);
    assert_true(a->capacity > 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_all_before_allows, setup, teardown),
        cmocka_unit_test_setup_teardown(not_before_the_commit_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_transactions_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_positions_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(any_order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
