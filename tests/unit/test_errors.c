/* What errors say: sentences about their fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "errors.h"

static void expect(const char *field, const char *message, const char *sentence) {
    struct json j = {0};
    char wanted[256];
    errors_open(&j);
    errors_add(&j, field, message);
    errors_close(&j);
    snprintf(wanted, sizeof wanted, "{\"errors\":[{\"message\":\"%s\"%s%s%s}]}", sentence,
             field == NULL ? "" : ",\"field\":\"", field == NULL ? "" : field, field == NULL ? "" : "\"");
    buf_add(&j.out, "", 1);
    assert_string_equal((const char *)j.out.data, wanted);
    buf_free(&j.out);
}

static void test_a_field_is_named(void **state) {
    (void)state;
    expect("password", "must have 8 to 128 characters", "Password must have 8 to 128 characters");
    expect("ticketId", "must be a UUID", "Ticket id must be a UUID");
    expect("currentPassword", "is wrong", "Current password is wrong");
    expect("ticketIds", "cannot be combined with showId", "Ticket ids cannot be combined with showId");
}

static void test_a_header_keeps_its_name(void **state) {
    (void)state;
    expect("Idempotency-Key", "must be one key", "Idempotency-Key must be one key");
}

static void test_some_fields_have_other_words(void **state) {
    (void)state;
    expect("q", "must be a text", "The search must be a text");
    expect("startsAt", "must be in the future", "The start must be in the future");
}

static void test_what_is_within_a_field_follows_its_name(void **state) {
    (void)state;
    expect("rows", "name of number 2 is required", "Rows: name of number 2 is required");
}

static void test_without_a_field_it_is_the_body(void **state) {
    (void)state;
    expect(NULL, "must be a JSON object", "The body must be a JSON object");
}

static void test_other_words_get_a_capital(void **state) {
    (void)state;
    expect(NULL, "sign in first", "Sign in first");
    expect(NULL, "isolated", "Isolated"); /* no verb, though it begins like one */
    expect(NULL, "", "");
}

static void test_a_sentence_stays(void **state) {
    (void)state;
    expect("email", "Email in use", "Email in use");
    expect(NULL, "Élan is sold out", "Élan is sold out");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_field_is_named),
        cmocka_unit_test(test_a_header_keeps_its_name),
        cmocka_unit_test(test_some_fields_have_other_words),
        cmocka_unit_test(test_what_is_within_a_field_follows_its_name),
        cmocka_unit_test(test_without_a_field_it_is_the_body),
        cmocka_unit_test(test_other_words_get_a_capital),
        cmocka_unit_test(test_a_sentence_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
