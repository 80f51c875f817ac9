/* Browsers by their User-Agent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "browser.h"

#define ENGINE "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) "

static void names(void **state) {
    static const char *const agents[][2] = {
        {"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox"},
        {ENGINE "Chrome/130.0.0.0 Mobile Safari/537.36", "Chrome"},
        {ENGINE "Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0", "Edge"},
        {ENGINE "Chrome/130.0.0.0 Safari/537.36 OPR/116.0.0.0", "Opera"},
        {ENGINE "SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36", "Samsung Internet"},
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1",
         "Chrome"},
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/130.0 Mobile/15E148 Safari/604.1",
         "Firefox"},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
         "Safari"},
        {"curl/7.88.1", "curl"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof agents / sizeof *agents; i++)
        assert_true(str_eq(browser_of(str_of(agents[i][0])), str_of(agents[i][1])));
}

static void others_have_none(void **state) {
    (void)state;
    assert_int_equal(browser_of(STR("python-requests/2.31.0")).n, 0);
    assert_int_equal(browser_of(STR("")).n, 0);
    assert_int_equal(browser_of((struct str){0}).n, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(others_have_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
