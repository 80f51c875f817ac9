/* live_index: who shows what. And the data of an event, which no text can leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "live_index.h"
#include "live_stream.h"
#include "mem.h"

enum { MANY = 3000 };

static int count(const struct live_index *index, struct uuid id) {
    int n = 0;
    for (struct live_want *w = live_index_find(index, &id); w != NULL; w = live_index_next(w))
        n++;
    return n;
}

static struct uuid id_of(int n) {
    struct uuid id = {{0}};
    memcpy(id.b + 4, &n, sizeof n);
    return id;
}

static void test_all_that_show_one_are_found(void **state) {
    (void)state;
    struct live_index index = {0};
    struct live_want *wants = mem_alloc(MANY * sizeof *wants);
    assert_null(live_index_find(&index, &(struct uuid){{1}}));
    for (int i = 0; i < MANY; i++) {
        wants[i].id = id_of(i % 1000);
        live_index_add(&index, &wants[i]);
    }
    for (int n = 0; n < 1000; n++)
        assert_int_equal(count(&index, id_of(n)), 3);
    assert_int_equal(count(&index, id_of(1000)), 0);
    for (int i = 0; i < MANY; i += 2) {
        live_index_remove(&index, &wants[i]);
        live_index_remove(&index, &wants[i]); /* again: nothing */
    }
    assert_int_equal(index.count, MANY / 2);
    for (int n = 0; n < 1000; n++)
        assert_int_equal(count(&index, id_of(n)), n % 2 == 0 ? 0 : 3);
    for (int i = 1; i < MANY; i += 2)
        live_index_remove(&index, &wants[i]);
    assert_int_equal(index.count, 0);
    assert_int_equal(count(&index, id_of(1)), 0);
    live_index_free(&index);
    free(wants);
}

static void assert_data(const char *text, const char *wanted) {
    struct buf out = {0};
    live_data(&out, str_of(text));
    buf_add(&out, "", 1);
    assert_string_equal((char *)out.data, wanted);
    buf_free(&out);
}

static void test_no_text_leaves_its_data(void **state) {
    (void)state;
    assert_data("", "data: \n\n");
    assert_data("one", "data: one\n\n");
    assert_data("one\ntwo\n", "data: one\ndata: two\ndata: \n\n");
    assert_data("a\revent: order\rdata: x", "data: a\ndata: event: order\ndata: data: x\n\n");
    assert_data("a\r\n\r\nid: 1", "data: a\ndata: \ndata: \ndata: \ndata: id: 1\n\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_show_one_are_found),
        cmocka_unit_test(test_no_text_leaves_its_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
