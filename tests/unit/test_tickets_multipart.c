#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "multipart.h"

#define TYPE "multipart/form-data; boundary=xYz"
#define PART(name, more, body)                                                                               \
    "--xYz\r\nContent-Disposition: form-data; name=\"" name "\"" more "\r\n\r\n" body "\r\n"

static void finds(const char *type, const char *body, const char *wanted) {
    struct str found;
    bool there = multipart_find(str_of(type), str_of(body), "picture", &found);
    assert_int_equal(there, wanted != NULL);
    if (there) assert_true(str_eq(found, str_of(wanted)));
}

static void a_field_is_found(void **state) {
    (void)state;
    finds(TYPE, PART("picture", "", "abc") "--xYz--\r\n", "abc");
    finds("Multipart/Form-Data; charset=utf-8; boundary=\"xYz\"", PART("picture", "", "abc") "--xYz--",
          "abc");
    finds(TYPE,
          PART("csrf", "", "1")
              PART("picture", "; filename=\"a\"\r\nContent-Type: image/png", "a\r\n\r\nb--xY\r\n") "--xYz--",
          "a\r\n\r\nb--xY\r\n");
    finds(TYPE, PART("picture", "", "") "--xYz--", "");
    finds(
        TYPE,
        "--xYz\r\ncontent-type: a/b\r\nCONTENT-DISPOSITION: form-data; filename=\"x\"; name=picture\r\n\r\n1\r\n--xYz--",
        "1");
    finds(TYPE, PART("picture", "", "first") PART("picture", "", "second") "--xYz--", "first");
}

static void what_is_malformed_has_none(void **state) {
    (void)state;
    static const char *const types[] = {"",
                                        "multipart/form-data",
                                        "multipart/form-data; boundary=",
                                        "multipart/mixed; boundary=xYz",
                                        "multipart/form-data; boundary=abc",
                                        "multipart/form-data; noboundary=xYz"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        finds(types[i], PART("picture", "", "abc") "--xYz--", NULL);
    static const char *const bodies[] = {
        "",
        "--xYz",
        "--xYz--",
        "--xYz\r\n",
        "--xYz\r\n\r\n",
        "abc" PART("picture", "", "abc") "--xYz--",
        PART("other", "", "abc") "--xYz--",
        PART("picture2", "", "abc") "--xYz--",
        "--xYz\r\nContent-Disposition: form-data; filename=\"picture\"\r\n\r\nabc\r\n--xYz--",
        "--xYz\r\nContent-Disposition: form-data; name=\"picture\"\r\n\r\nno end",
        "--xYz\r\nContent-Disposition: form-data; name=\"picture\r\n\r\nabc\r\n--xYz--"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        finds(TYPE, bodies[i], NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_found),
        cmocka_unit_test(what_is_malformed_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
