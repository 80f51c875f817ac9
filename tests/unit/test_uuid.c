/* uuid: version 7 as RFC 9562 has it, in order, unique over threads, and as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "uuid.h"

static void it_is_version_7_of_now(void **state) {
    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t before = clock_wall_us() / 1000;
        struct uuid id = uuid_v7();
        int64_t after = clock_wall_us() / 1000;
        assert_int_equal(id.b[6] >> 4, 7);
        assert_int_equal(id.b[8] >> 6, 2);
        /* the counter may borrow from the next milliseconds, not from many */
        assert_in_range(uuid_ms(&id), before, after + 10);
    }
}

static void it_ascends_within_a_thread(void **state) {
    (void)state;
    struct uuid last = uuid_v7();
    for (int i = 0; i < 1000000; i++) { /* far more than 4096 a millisecond: the counter runs over */
        struct uuid id = uuid_v7();
        if (memcmp(last.b, id.b, sizeof id.b) >= 0) fail_msg("id %d does not ascend", i);
        last = id;
    }
}

enum { THREADS = 4, EACH = 50000 };
static struct uuid made[THREADS][EACH];

static void *make(void *arg) {
    struct uuid *ids = arg;
    for (int i = 0; i < EACH; i++)
        ids[i] = uuid_v7();
    return NULL;
}

static int compare(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct uuid));
}

static void threads_never_make_the_same(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, make, made[t]), 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    struct uuid *all = &made[0][0];
    qsort(all, (size_t)THREADS * EACH, sizeof *all, compare);
    for (int i = 1; i < THREADS * EACH; i++)
        assert_false(uuid_eq(&all[i - 1], &all[i]));
}

/* An id must not let the next one be guessed: 62 bits behind the counter are random. */
static void the_rest_is_random(void **state) {
    (void)state;
    enum { N = 4000 };
    int ones[64] = {0};
    for (int i = 0; i < N; i++) {
        struct uuid id = uuid_v7();
        for (int bit = 2; bit < 64; bit++)
            ones[bit] += id.b[8 + bit / 8] >> (7 - bit % 8) & 1;
    }
    for (int bit = 2; bit < 64; bit++) /* over 10 standard deviations off would be no accident */
        assert_in_range(ones[bit], N / 2 - 330, N / 2 + 330);
}

/* Of ids that differ in their last bytes alone, as a show's seats do, and of new ones. */
static void hashes_spread(void **state) {
    (void)state;
    enum { N = 1 << 16, SLOTS = 2 * N };
    static bool taken[SLOTS];
    for (int seats = 0; seats < 2; seats++) {
        int used = 0;
        struct uuid id = uuid_v7();
        memset(taken, 0, sizeof taken);
        for (int i = 0; i < N; i++) {
            if (!seats) id = uuid_v7();
            const uint8_t place[] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
            if (seats) memcpy(id.b + 13, place, sizeof place);
            bool *slot = &taken[uuid_hash(&id) & (SLOTS - 1)];
            used += !*slot;
            *slot = true;
        }
        assert_in_range(used, N * 3 / 4, N); /* by chance: 79 % */
    }
}

static void text_and_back(void **state) {
    (void)state;
    const struct uuid id = {
        {0x01, 0x8f, 0xab, 0xcd, 0xef, 0x00, 0x7a, 0xbc, 0x9d, 0xef, 0, 1, 2, 3, 4, 0xff}};
    char text[UUID_TEXT + 1] = {0};
    uuid_format(&id, text);
    assert_string_equal(text, "018fabcd-ef00-7abc-9def-0001020304ff");
    struct uuid back;
    assert_true(uuid_parse(str_of(text), &back));
    assert_true(uuid_eq(&id, &back));
    assert_true(uuid_parse(STR("018FABCD-EF00-7abc-9DeF-0001020304FF"), &back));
    assert_true(uuid_eq(&id, &back));
    for (int i = 0; i < 10000; i++) {
        struct uuid any = uuid_v7();
        uuid_format(&any, text);
        assert_true(uuid_parse(str_of(text), &back) && uuid_eq(&any, &back));
    }
}

static void nothing_else_is_an_id(void **state) {
    (void)state;
    static const char good[] = "018fabcd-ef00-7abc-9def-0001020304ff";
    static const char *const bad[] = {
        "",
        "018fabcd-ef00-7abc-9def-0001020304f",
        "018fabcd-ef00-7abc-9def-0001020304fff",
        "018fabcdef007abc9def0001020304ff",
        "{018fabcd-ef00-7abc-9def-0001020304ff}",
        "018fabcd-ef00-7abc-9def00001020304ff",
        "018fabcd-ef00-7abc-9def-0001020304fg",
        " 018fabcd-ef00-7abc-9def-0001020304f",
        "018fabcd-ef00-7abc-9def-0001020304\xc3\xbf",
    };
    struct uuid id;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(uuid_parse(str_of(bad[i]), &id));
    for (size_t i = 0; i < UUID_TEXT; i++) { /* any character that is out of place, anywhere */
        char text[UUID_TEXT];
        for (int c = 0; c < 256; c++) {
            memcpy(text, good, sizeof text);
            text[i] = (char)c;
            bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            assert_int_equal(uuid_parse((struct str){text, sizeof text}, &id),
                             good[i] == '-' ? c == '-' : hex);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_version_7_of_now),
        cmocka_unit_test(it_ascends_within_a_thread),
        cmocka_unit_test(threads_never_make_the_same),
        cmocka_unit_test(the_rest_is_random),
        cmocka_unit_test(hashes_spread),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(nothing_else_is_an_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
