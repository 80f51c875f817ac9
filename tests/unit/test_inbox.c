/* What threads hand to one other thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "inbox.h"

enum { SENDERS = 4, EACH = 20000, PATIENCE_S = 60 };

struct note {
    struct inbox_item item; /* first: an item is its note */
    int sender, number;
};

static void count(void *arg) {
    ++*(int *)arg;
}

static void one_thread_by_itself(void **state) {
    (void)state;
    struct inbox box;
    struct note notes[3];
    int woken = 0;
    inbox_init(&box, count, &woken);
    assert_null(inbox_take(&box));
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 3; i++)
            inbox_put(&box, &notes[i].item);
        assert_int_equal(woken, round); /* by the first, who found it empty */
        struct inbox_item *item = inbox_take(&box);
        for (int i = 0; i < 3; i++, item = item->next)
            assert_ptr_equal(item, &notes[i].item);
        assert_null(item);
        assert_null(inbox_take(&box));
    }
    inbox_destroy(&box);
}

static void put_again(void *arg) {
    struct inbox *box = arg;
    static struct note second;
    static bool done;
    if (!done) {
        done = true;
        inbox_put(box, &second.item);
    }
}

/* wake holds no lock: what it calls may use the inbox. */
static void wake_may_put(void **state) {
    (void)state;
    struct inbox box;
    struct note first;
    inbox_init(&box, put_again, &box);
    inbox_put(&box, &first.item);
    struct inbox_item *item = inbox_take(&box);
    assert_ptr_equal(item, &first.item);
    assert_non_null(item->next);
    inbox_destroy(&box);
}

/* --- many threads --- */

struct crowd {
    struct inbox box;
    sem_t wakes; /* one for each call of wake */
    struct note notes[SENDERS][EACH];
};

struct sender {
    struct crowd *crowd;
    int number;
};

static void post(void *arg) {
    struct crowd *c = arg;
    sem_post(&c->wakes);
}

static void *send_all(void *arg) {
    struct sender *s = arg;
    for (int i = 0; i < EACH; i++) {
        struct note *n = &s->crowd->notes[s->number][i];
        n->sender = s->number;
        n->number = i;
        inbox_put(&s->crowd->box, &n->item);
    }
    return NULL;
}

static void await_wake(struct crowd *c) {
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_S;
    if (sem_timedwait(&c->wakes, &limit) != 0) fail_msg("something was put, and nobody said so");
}

/* The owner takes after a wake alone: each wake has something to take, and nothing is left without one. */
static void senders_keep_their_order(void **state) {
    (void)state;
    struct crowd *c = calloc(1, sizeof *c);
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    int next[SENDERS] = {0}, left = SENDERS * EACH;
    sem_init(&c->wakes, 0, 0);
    inbox_init(&c->box, post, c);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){c, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    while (left > 0) {
        await_wake(c);
        struct inbox_item *item = inbox_take(&c->box);
        assert_non_null(item);
        for (; item != NULL; item = item->next, left--) {
            struct note *n = (struct note *)item;
            assert_int_equal(n->number, next[n->sender]++);
        }
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_not_equal(sem_trywait(&c->wakes), 0); /* no wake but those */
    assert_null(inbox_take(&c->box));
    inbox_destroy(&c->box);
    sem_destroy(&c->wakes);
    free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_by_itself),
        cmocka_unit_test(wake_may_put),
        cmocka_unit_test(senders_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
