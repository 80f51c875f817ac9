#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "body.h"
#include "uuid.h"

struct order {
    struct str title;
    struct uuid ticket;
    struct str note;
};

static const struct body_field fields[] = {
    {"title", body_text, offsetof(struct order, title), true},
    {"ticketId", body_uuid, offsetof(struct order, ticket), true},
    {"note", body_text, offsetof(struct order, note), false},
    {0},
};

#define ID "0199a2c0-0000-7000-8000-0123456789ab"

/* The errors of text as "field: message" lines; "" when it was read. */
static char *errors_of(struct str text, struct order *out) {
    static char lines[4096];
    struct body_error errors[BODY_MAX_ERRORS];
    struct arena arena = {0};
    struct order mine = {0};
    int n = body_read(text, fields, out == NULL ? &mine : out, &arena, errors);
    char *p = lines;
    *p = '\0';
    for (int i = 0; i < n; i++)
        p += sprintf(p, "%s: %s\n", errors[i].field == NULL ? "-" : errors[i].field, errors[i].message);
    if (out != NULL && n == 0)
        assert_int_equal(out->title.p[out->title.n], '\0'); /* arena strs are terminated */
    arena_free(&arena);
    return lines;
}

#define EXPECT(text, wanted) assert_string_equal(errors_of(STR(text), NULL), wanted)

static void reads_fields(void **state) {
    (void)state;
    struct arena arena = {0};
    struct body_error errors[BODY_MAX_ERRORS];
    struct order o = {.note = STR("before")};
    struct uuid id;
    assert_true(uuid_parse(STR(ID), &id));
    int n =
        body_read(STR("{\"title\":\"Caf\\u00e9 \\ud834\\udd1e é\",\"ticketId\":\"" ID "\",\"other\":[1,{}]}"),
                  fields, &o, &arena, errors);
    assert_int_equal(n, 0);
    assert_true(str_eq(o.title, STR("Café 𝄞 é")));
    assert_true(uuid_eq(&o.ticket, &id));
    assert_true(str_eq(o.note, STR("before"))); /* missing and optional: left as it was */
    n = body_read(STR("{\"title\":\"x\",\"ticketId\":\"" ID "\",\"note\":null}"), fields, &o, &arena, errors);
    assert_int_equal(n, 0);
    assert_true(str_eq(o.note, STR("before")));
    arena_free(&arena);
}

static void tells_all_errors_at_once(void **state) {
    (void)state;
    EXPECT("{\"note\":5,\"ticketId\":\"x\"}",
           "title: is required\nticketId: must be a UUID\nnote: must be a string\n");
    EXPECT("{\"title\":null,\"ticketId\":[]}", "title: is required\nticketId: must be a UUID\n");
    EXPECT("", "title: is required\nticketId: is required\n");
    EXPECT("{}", "title: is required\nticketId: is required\n");
}

/* {"title": ...} or {"note": ...}, or both. */
static void one_of_two_is_enough(void **state) {
    (void)state;
    static const struct body_field either[] = {
        {"title", body_text, offsetof(struct order, title), BODY_OR_NEXT},
        {"note", body_text, offsetof(struct order, note), BODY_OPTIONAL},
        {0},
    };
    static const struct {
        const char *text;
        int errors;
    } cases[] = {{"{\"title\":\"a\"}", 0},
                 {"{\"note\":\"b\"}", 0},
                 {"{\"title\":null,\"note\":\"b\"}", 0},
                 {"{}", 1},
                 {"{\"note\":null}", 1},
                 {"{\"title\":\"a\",\"note\":\"b\"}", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct body_error errors[BODY_MAX_ERRORS];
        struct order o = {0};
        int n = body_read(str_of(cases[i].text), either, &o, &arena, errors);
        assert_int_equal(n, cases[i].errors);
        if (n == 1) assert_string_equal(errors[0].field, "title");
        if (n == 1) assert_string_equal(errors[0].message, "is required");
        arena_free(&arena);
    }
}

static void many_errors_are_bounded(void **state) {
    (void)state;
    struct body_field many[40] = {0};
    for (int i = 0; i < 39; i++)
        many[i] = (struct body_field){"f", body_text, 0, true};
    struct body_error errors[BODY_MAX_ERRORS];
    struct arena arena = {0};
    struct str out;
    assert_int_equal(body_read(STR("{}"), many, &out, &arena, errors), BODY_MAX_ERRORS);
    arena_free(&arena);
}

static void refuses_what_is_no_object(void **state) {
    (void)state;
    EXPECT("[]", "-: must be a JSON object\n");
    EXPECT("5", "-: must be a JSON object\n");
    EXPECT("\"x\"", "-: must be a JSON object\n");
    EXPECT("null", "-: must be a JSON object\n");
    EXPECT(" ", "-: must be valid JSON\n");
    EXPECT("{", "-: must be valid JSON\n");
    EXPECT("{}{}", "-: must be valid JSON\n");
    EXPECT("{\"title\":\"x\"", "-: must be valid JSON\n");
    EXPECT("{'title':1}", "-: must be valid JSON\n");
    EXPECT("{\"title\":NaN}", "-: must be valid JSON\n");
    EXPECT("{\"n\":1e999}", "-: must be valid JSON\n");
}

static void a_number_that_nobody_reads_may_be_large(void **state) {
    (void)state;
    EXPECT("{\"n\":123456789012345678901234567890}", "title: is required\nticketId: is required\n");
}

static void refuses_bad_text(void **state) {
    (void)state;
    EXPECT("{\"title\":\"a\\u0000b\"}", "-: must not contain NUL characters\n");
    EXPECT("{\"a\\u0000b\":1}", "-: must not contain NUL characters\n");
    EXPECT("{\"title\":\"a\0b\"}", "-: must be UTF-8 text without NUL characters\n");
    EXPECT("{\"title\":\"\xff\"}", "-: must be UTF-8 text without NUL characters\n");
    EXPECT("{\"title\":\"\xed\xa0\x80\"}", "-: must be UTF-8 text without NUL characters\n");
    EXPECT("{\"title\":\"\\ud800\"}", "-: must be valid JSON\n");
    EXPECT("{\"title\":\"a\",\"title\":\"b\"}", "-: must not have the same key twice\n");
    EXPECT("{\"x\":{\"a\":1,\"a\":2}}", "-: must not have the same key twice\n");
}

static void refuses_deep_nesting(void **state) {
    (void)state;
    for (int depth = 31; depth <= 33; depth++) { /* the object itself is one level */
        char text[256], *p = text;
        p += sprintf(p, "{\"x\":");
        for (int i = 1; i < depth; i++)
            *p++ = '[';
        for (int i = 1; i < depth; i++)
            *p++ = ']';
        sprintf(p, ",\"title\":\"[[[[\\\"[[[[\",\"ticketId\":\"" ID "\"}");
        assert_string_equal(errors_of(str_of(text), NULL),
                            depth <= 32 ? "" : "-: must not be nested deeper than 32 levels\n");
    }
    size_t n = 1 << 20; /* far beyond what the stack would hold */
    char *brackets = malloc(n);
    memset(brackets, '[', n);
    assert_string_equal(errors_of((struct str){brackets, n}, NULL),
                        "-: must not be nested deeper than 32 levels\n");
    free(brackets);
}

struct row {
    struct str name;
    int64_t from;
};

static const char *read_number(const json_t *value, void *out, struct arena *arena) {
    return body_whole(value, -2, 9, out) ? NULL : body_message(arena, "must be from %d to %d", -2, 9);
}

static const struct body_field row_fields[] = {
    {"name", body_text, offsetof(struct row, name), true},
    {"from", read_number, offsetof(struct row, from), false},
    {0},
};

static const char *read_list(const json_t *value, void *out, struct arena *arena) {
    return body_objects(value, row_fields, sizeof(struct row), 3, out, arena);
}

static const struct body_field list_fields[] = {{"rows", read_list, 0, true}, {0}};

static void expect_list(const char *text, const char *wanted) {
    struct body_list list = {0};
    struct body_error errors[BODY_MAX_ERRORS];
    struct arena arena = {0};
    assert_int_equal(body_read(str_of(text), list_fields, &list, &arena, errors), wanted == NULL ? 0 : 1);
    if (wanted != NULL) assert_string_equal(errors[0].message, wanted);
    arena_free(&arena);
}

static void reads_lists_of_objects(void **state) {
    (void)state;
    struct body_list list = {0};
    struct body_error errors[BODY_MAX_ERRORS];
    struct arena arena = {0};
    const char *text =
        "{\"rows\":[{\"name\":\"A\",\"from\":-2},{\"name\":\"B\"},{\"from\":9,\"name\":\"\"}]}";
    assert_int_equal(body_read(str_of(text), list_fields, &list, &arena, errors), 0);
    const struct row *rows = list.items;
    assert_int_equal(list.count, 3);
    assert_string_equal(rows[0].name.p, "A");
    assert_true(rows[0].from == -2 && rows[1].from == 0 && rows[2].from == 9);
    arena_free(&arena);
    expect_list("{}", "is required");
    expect_list("{\"rows\":{}}", "must be a list of 1 to 3 objects");
    expect_list("{\"rows\":[]}", "must be a list of 1 to 3 objects");
    expect_list("{\"rows\":[{},{},{},{}]}", "must be a list of 1 to 3 objects");
    expect_list("{\"rows\":[{\"name\":\"A\"},null]}", "number 2 must be an object");
    expect_list("{\"rows\":[{\"name\":\"A\"},{\"from\":1}]}", "name of number 2 is required");
    expect_list("{\"rows\":[{\"name\":\"A\",\"from\":10}]}", "from of number 1 must be from -2 to 9");
    expect_list("{\"rows\":[{\"name\":\"A\",\"from\":1.5}]}", "from of number 1 must be from -2 to 9");
    expect_list("{\"rows\":[{\"name\":\"A\",\"from\":\"1\"}]}", "from of number 1 must be from -2 to 9");
    expect_list("{\"rows\":[{\"name\":\"A\",\"from\":null}]}", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fields),
        cmocka_unit_test(tells_all_errors_at_once),
        cmocka_unit_test(one_of_two_is_enough),
        cmocka_unit_test(many_errors_are_bounded),
        cmocka_unit_test(refuses_what_is_no_object),
        cmocka_unit_test(a_number_that_nobody_reads_may_be_large),
        cmocka_unit_test(refuses_bad_text),
        cmocka_unit_test(refuses_deep_nesting),
        cmocka_unit_test(reads_lists_of_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
