#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "form.h"

/* The fields of text as "key=value|" of what was decoded, or the error. */
static const char *read_all(struct str text) {
    static char out[4096];
    struct arena arena = {0};
    struct form form;
    char *exact = malloc(text.n + 1), *p = out; /* so that a read behind the end is seen */
    memcpy(exact, text.p, text.n);
    const char *error = form_read((struct str){exact, text.n}, &form, &arena);
    *p = '\0';
    if (error != NULL) snprintf(out, sizeof out, "error: %s", error);
    for (int i = 0; error == NULL && i < form.count; i++)
        p += snprintf(p, (size_t)(out + sizeof out - p), "%.*s=%.*s|", (int)form.fields[i].key.n,
                      form.fields[i].key.p, (int)form.fields[i].value.n, form.fields[i].value.p);
    free(exact);
    arena_free(&arena);
    return out;
}

#define EXPECT(text, wanted) assert_string_equal(read_all(STR(text)), wanted)

static void reads_fields_in_order(void **state) {
    (void)state;
    EXPECT("", "");
    EXPECT("a=1&b=2&a=3", "a=1|b=2|a=3|");
    EXPECT("a&b=&=c&&d=1=2&", "a=|b=|=c|d=1=2|");
    EXPECT("metadata[orderId]=7&metadata%5Bx%5D%5b%5d=8", "metadata[orderId]=7|metadata[x][]=8|");
}

static void decodes(void **state) {
    (void)state;
    EXPECT("a+b=c+d%20e%2Bf", "a b=c d e+f|");
    EXPECT("a=Caf%C3%A9%26%3D%25", "a=Café&=%|");
    EXPECT("a=Café", "a=Café|");
    EXPECT("a=%&b=%4&c=%4g&d=%g4&e=100%25%", "a=%|b=%4|c=%4g|d=%g4|e=100%%|");
    EXPECT("a=%41%6a%6A", "a=Ajj|");
}

static void takes_text_only(void **state) {
    (void)state;
    static const char not_text[] = "error: must be UTF-8 text without NUL characters";
    EXPECT("a=%00", not_text);
    EXPECT("%00=a", not_text);
    EXPECT("a=\xff", not_text);
    EXPECT("a=%C3&b=%A9", not_text);
    EXPECT("a=\0b", not_text);
}

static void bounds_the_number_of_fields(void **state) {
    (void)state;
    char text[2 * (FORM_MAX_FIELDS + 1) + 1] = "";
    for (int i = 0; i < FORM_MAX_FIELDS; i++)
        memcpy(text + 2 * i, "a&", 3);
    assert_string_equal(read_all(str_of(text)) + 3 * (FORM_MAX_FIELDS - 1), "a=|");
    memcpy(text + 2 * FORM_MAX_FIELDS, "a&", 3);
    assert_string_equal(read_all(str_of(text)), "error: must not have more than 256 fields");
}

static void finds_the_first_of_a_key(void **state) {
    (void)state;
    struct arena arena = {0};
    struct form form;
    struct str v = STR("as it was");
    assert_null(form_read(STR("ab=0&a=1&a=2&b"), &form, &arena));
    assert_false(form_get(&form, "c", &v));
    assert_true(str_eq(v, STR("as it was")));
    assert_true(form_get(&form, "a", &v) && str_eq(v, STR("1")));
    assert_int_equal(v.p[v.n], '\0');
    assert_true(form_get(&form, "b", &v) && v.n == 0);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fields_in_order),    cmocka_unit_test(decodes),
        cmocka_unit_test(takes_text_only),          cmocka_unit_test(bounds_the_number_of_fields),
        cmocka_unit_test(finds_the_first_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
