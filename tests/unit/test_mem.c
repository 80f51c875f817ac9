/* mem: the growing buffer and the arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "buf.h"
#include "mem.h"

static void allocations_are_zeroed(void **state) {
    (void)state;
    for (size_t size = 1; size < 5000; size += 97) {
        uint8_t *p = mem_alloc(size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
        p = mem_grow(p, 2 * size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0xff);
        free(p);
    }
    char *copy = mem_strdup("text");
    assert_string_equal(copy, "text");
    free(copy);
}

static void a_buf_keeps_what_was_added(void **state) {
    (void)state;
    struct buf b = {0};
    uint8_t bytes[300];
    size_t total = 0;
    for (int i = 0; i < 1000; i++) {
        size_t n = (size_t)(i * 7 % 300);
        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)(total + k);
        buf_add(&b, bytes, n);
        total += n;
        assert_int_equal(b.len, total);
        assert_true(b.cap >= b.len);
    }
    for (size_t i = 0; i < total; i++)
        assert_int_equal(b.data[i], (uint8_t)i);
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len + b.cap, 0);
}

static void reserved_room_is_there(void **state) {
    (void)state;
    struct buf b = {0};
    buf_add(&b, NULL, 0); /* nothing, from nowhere */
    assert_null(b.data);
    buf_reserve(&b, 1000000);
    const uint8_t *before = b.data;
    for (int i = 0; i < 1000000; i++)
        buf_add(&b, "x", 1);
    assert_ptr_equal(b.data, before);
    buf_free(&b);
}

/* Pieces of all sizes, below and above a block: zeroed, aligned, apart from one another. */
static void pieces_of_an_arena_do_not_touch(void **state) {
    (void)state;
    enum { PIECES = 500 };
    struct arena a = {0};
    uint8_t *pieces[PIECES];
    for (int i = 0; i < PIECES; i++) {
        size_t size = (size_t)(1 + i * 37 % 5000);
        pieces[i] = arena_alloc(&a, size);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], i % 251, size);
    }
    for (int i = 0; i < PIECES; i++)
        for (size_t k = 0; k < (size_t)(1 + i * 37 % 5000); k++)
            assert_int_equal(pieces[i][k], i % 251);
    arena_free(&a);
    assert_null(a.blocks);
    arena_free(&a); /* of nothing */
}

static void a_str_is_copied_and_terminated(void **state) {
    (void)state;
    struct arena a = {0};
    char text[] = "abc";
    struct str copy = arena_str(&a, (struct str){text, 2});
    text[0] = 'x';
    assert_int_equal(copy.n, 2);
    assert_string_equal(copy.p, "ab");
    struct str empty = arena_str(&a, (struct str){NULL, 0});
    assert_int_equal(empty.n, 0);
    assert_string_equal(empty.p, "");
    assert_true(str_eq(empty, str_of(NULL)));
    assert_false(str_eq(copy, STR("ac")));
    arena_free(&a);
}

/* In a child with little memory; sanitizers keep their own books there, so only in a plain build. */
static void out_of_memory_aborts(void **state) {
    (void)state;
#ifdef ARENA_MALLOC
    skip();
#endif
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {256 << 20, 256 << 20}, none = {0, 0};
        setrlimit(RLIMIT_AS, &limit);
        setrlimit(RLIMIT_CORE, &none);
        fclose(stderr);
        signal(SIGABRT, SIG_DFL);
        mem_alloc((size_t)1 << 30);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_zeroed),         cmocka_unit_test(a_buf_keeps_what_was_added),
        cmocka_unit_test(reserved_room_is_there),         cmocka_unit_test(pieces_of_an_arena_do_not_touch),
        cmocka_unit_test(a_str_is_copied_and_terminated), cmocka_unit_test(out_of_memory_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
