#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "html.h"
#include "language.h"

static void what_is_wanted(void **state) {
    (void)state;
    static const struct {
        const char *accept;
        enum language language;
    } all[] = {
        {"", LANGUAGE_EN},
        {"de", LANGUAGE_DE},
        {"DE-at", LANGUAGE_DE},
        {"de-CH,de;q=0.9,en;q=0.8", LANGUAGE_DE},
        {"en-US,en;q=0.9,de;q=0.8", LANGUAGE_EN},
        {"en;q=0.3, de;q=0.75", LANGUAGE_DE},
        {"fr, de;q=0.1", LANGUAGE_DE},
        {"fr, *;q=0.5", LANGUAGE_EN},
        {"de;q=0, en", LANGUAGE_EN},
        {"de;q=0", LANGUAGE_EN},
        {"de;q=1.000,en;q=1", LANGUAGE_DE},
        {"en;q=9999999999999999999,de", LANGUAGE_EN},
        {",,;q=,q=1,den,d,de-", LANGUAGE_DE},
        {"den", LANGUAGE_EN},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_int_equal(language_wanted(str_of(all[i].accept)), all[i].language);
}

static void writes(struct buf *out, const char *wanted) {
    assert_true(str_eq(buf_str(out), str_of(wanted)));
    out->len = 0;
}

#define SPACE "\xc2\xa0"

static void amounts_and_dates(void **state) {
    (void)state;
    struct buf out = {0};
    static const struct price usd = {123456789, "USD"}, chf = {-2050, "CHF"}, yen = {1234, "JPY"};
    static const int64_t at_us = INT64_C(1795257571123456);
    html_price(&out, &usd);
    writes(&out, "$1,234,567.89");
    html_price(&out, &chf);
    writes(&out, "-CHF" SPACE "20.50");
    html_time(&out, at_us);
    writes(&out, "21 Nov 2026, 10:39 UTC");
    language_use(LANGUAGE_DE);
    html_price(&out, &usd);
    writes(&out, "1.234.567,89" SPACE "$");
    html_price(&out, &chf);
    writes(&out, "-20,50" SPACE "CHF");
    html_price(&out, &yen);
    writes(&out, "1.234" SPACE "JPY");
    html_amount(&out, &usd); /* for programs */
    writes(&out, "1234567.89");
    html_time(&out, at_us);
    writes(&out, "21. November 2026, 10:39 Uhr UTC");
    language_use(LANGUAGE_EN);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wanted),
        cmocka_unit_test(amounts_and_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
