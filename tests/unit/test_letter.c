/* Letters: the lines of a message, addresses that are one, and that the same event makes the same letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "key_files.h"
#include "letter.h"

static char key_file[32];
static struct letter_options options = {.from = "onsale@onsale.example",
                                        .public_url = "https://onsale.example"};

static int set_up(void **state) {
    (void)state;
    write_file(key_file, ONE);
    options.keys = keys_of(key_file);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    admission_keys_free(options.keys);
    unlink(key_file);
    return 0;
}

static void addresses(void **state) {
    (void)state;
    const char *const good[] = {"a@b", "o'neil+x@sub.example.co", "!#$%&'*+/=?^_`{|}~-@x.y"};
    const char *const bad[] = {"",        "@",     "a@",    "@b",    "a@b@c",   "a b@c",       "a@b\r\n",
                               "a@b>x",   "<a@b>", "a,c@b", "a@b;c", "\"a\"@b", "a@[1.2.3.4]", "\xc3\xbc@b",
                               "a\x7f@b", "a\\@b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(letter_can_go_to(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (letter_can_go_to(str_of(bad[i]))) fail_msg("%s", bad[i]);
}

static void settings(void **state) {
    (void)state;
    struct why w;
    struct letter_options o = options;
    assert_int_equal(letter_check(&o, &w), ST_OK);
    const char *const urls[] = {"",        "https://",      "onsale.example", "https://onsale.example/",
                                "ftp://x", "https://x\r\ny"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        o.public_url = urls[i];
        assert_int_equal(letter_check(&o, &w), ST_INVALID);
    }
    o = options;
    o.from = "Onsale <onsale@onsale.example>";
    assert_int_equal(letter_check(&o, &w), ST_INVALID);
}

/* RFC 5322: lines of at most 78 letters that end in CRLF, of ASCII alone. */
static void check_lines(const struct buf *letter) {
    size_t line = 0;
    for (size_t i = 0; i < letter->len; i++) {
        assert_in_range(letter->data[i], letter->data[i] == '\r' || letter->data[i] == '\n' ? 1 : ' ', '~');
        if (letter->data[i] != '\n') {
            line++;
            continue;
        }
        assert_int_equal(letter->data[i - 1], '\r');
        assert_in_range(line, 0, 79);
        line = 0;
    }
    assert_int_equal(letter->data[letter->len - 1], '\n');
}

static void every_kind_in_every_language(void **state) {
    (void)state;
    static const char *const languages[] = {"en", "de", "", "nonsense"};
    struct buf first = {0}, again = {0};
    for (int type = VERIFY_ADDRESS; type <= ADDRESS_CHANGED; type++)
        for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
            struct letter_event e = {.type = (enum letter_event_type)type,
                                     .id = {{1, [15] = 2}},
                                     .occurred_at = INT64_C(1764360000123456),
                                     .email = STR("ada@example.com"),
                                     .language = str_of(languages[i])};
            letter_make(&first, &options, &e);
            letter_make(&again, &options, &e);
            assert_int_equal(first.len, again.len);
            assert_memory_equal(first.data, again.data, first.len);
            check_lines(&first);
            buf_add(&first, "", 1);
            const char *text = (const char *)first.data;
            assert_non_null(strstr(text, "\r\nTo: <ada@example.com>\r\n"));
            assert_non_null(strstr(text, "\r\nDate: Fri, 28 Nov 2025 20:00:00 +0000\r\n"));
            assert_non_null(
                strstr(text, "Message-ID: <01000000-0000-0000-0000-000000000002@onsale.example>\r\n"));
        }
    buf_free(&first);
    buf_free(&again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(settings),
        cmocka_unit_test(every_kind_in_every_language),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
