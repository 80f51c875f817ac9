/* Which pages of other origins may call the API and read its answers. */
#include "cors.h"
#include "http_fixture.h"

#define SHOP  "Origin: https://shop.example\r\n"
#define OTHER "Origin: https://other.example\r\n"
#define ASKS  "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n"

static void answer(struct req *rq) {
    json_open(req_json(rq), '{');
    json_close(req_json(rq), '}');
    req_set_header(rq, "etag", STR("\"1\""));
    req_reply(rq, 200);
}

static const struct route routes[] = {{"GET", "/api/things", answer, 0},
                                      {"POST", "/api/things", answer, 0},
                                      {"PUT", "/api/things/{uuid}", answer, ROUTE_SESSION},
                                      {0}};

static void start(const char *origins) {
    hx_start((struct http_options){.routes = routes, .cors_origins = origins});
}

static const char *parsed(const char *list) {
    static char out[256];
    struct cors cors;
    struct why w = {0};
    if (cors_parse(list, &cors, &w) != ST_OK) {
        snprintf(out, sizeof out, "%s", w.text);
        return out;
    }
    char *p = out;
    *p = '\0';
    for (int i = 0; i < cors.count; i++)
        p += snprintf(p, (size_t)(out + sizeof out - p), "%.*s|", (int)cors.origins[i].n, cors.origins[i].p);
    cors_free(&cors);
    return out;
}

static void test_a_list_of_origins(void **state) {
    (void)state;
    assert_string_equal(parsed(NULL), "");
    assert_string_equal(parsed(""), "");
    assert_string_equal(parsed("https://shop.example, http://127.0.0.1:8080,,http://[::1]:1"),
                        "https://shop.example|http://127.0.0.1:8080|http://[::1]:1|");
}

static void test_what_is_no_origin(void **state) {
    (void)state;
    static const char *const bad[] = {"*",
                                      "null",
                                      "shop.example",
                                      "https://",
                                      "https://shop.example/",
                                      "https://Shop.example",
                                      "https://*.example"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "must be origins like https://shop.example, got \"%s\"", bad[i]);
        assert_string_equal(parsed(bad[i]), wanted);
    }
}

static void test_a_listed_page_reads_answers(void **state) {
    (void)state;
    start("http://a.example,https://shop.example");
    struct hx_answer *a = hx_request("GET /api/things", SHOP, NULL);
    hx_expect(a, 200, "{}");
    assert_string_equal(hx_header(a, "access-control-allow-origin"), "https://shop.example");
    assert_string_equal(hx_header(a, "access-control-expose-headers"), "ETag, Link, Location, Retry-After");
    assert_string_equal(hx_header(a, "vary"), "Origin");
    assert_null(hx_header(a, "access-control-allow-credentials"));
    hx_stop();
}

static void test_it_reads_errors_too(void **state) {
    (void)state;
    start("https://shop.example");
    static const char *const lines[] = {"GET /nowhere", "PATCH /api/things",
                                        "PUT /api/things/0190a0b0-0000-7000-8000-000000000000"};
    static const int statuses[] = {404, 405, 401};
    for (size_t i = 0; i < 3; i++) {
        struct hx_answer *a = hx_request(lines[i], SHOP, "");
        assert_int_equal(a->status, statuses[i]);
        assert_string_equal(hx_header(a, "access-control-allow-origin"), "https://shop.example");
    }
    struct hx_answer *a =
        hx_request("POST /api/things", SHOP "Expect: the-unexpected\r\n", "{}"); /* h2o's own */
    assert_int_equal(a->status, 417);
    assert_string_equal(hx_header(a, "access-control-allow-origin"), "https://shop.example");
    hx_stop();
}

static void test_other_pages_do_not(void **state) {
    (void)state;
    start("https://shop.example");
    static const char *const others[] = {OTHER,
                                         "Origin: null\r\n",
                                         "Origin: https://shop.example:8443\r\n",
                                         "Origin: http://shop.example\r\n",
                                         "Origin: https://shop.example.other\r\n",
                                         ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct hx_answer *a = hx_request("GET /api/things", others[i], NULL);
        hx_expect(a, 200, "{}");
        assert_null(hx_header(a, "access-control-allow-origin"));
        assert_string_equal(hx_header(a, "vary"),
                            "Origin"); /* so that no cache gives them what the shop got */
    }
    hx_stop();
}

static void test_a_preflight(void **state) {
    (void)state;
    start("https://shop.example");
    struct hx_answer *a = hx_request("OPTIONS /api/things", SHOP ASKS, NULL);
    hx_expect(a, 204, "");
    assert_string_equal(hx_header(a, "access-control-allow-origin"), "https://shop.example");
    assert_string_equal(hx_header(a, "access-control-allow-methods"), "GET, HEAD, POST");
    assert_string_equal(hx_header(a, "access-control-allow-headers"),
                        "Authorization, Content-Type, Idempotency-Key, If-Match");
    assert_string_equal(hx_header(a, "access-control-max-age"), "600");
    assert_string_equal(hx_header(a, "vary"), "Origin");
    assert_null(hx_header(a, "access-control-allow-credentials"));
    a = hx_request("OPTIONS /Api/things/0190a0b0-0000-7000-8000-000000000000/", SHOP ASKS,
                   NULL); /* without a session */
    assert_int_equal(a->status, 204);
    assert_string_equal(hx_header(a, "access-control-allow-methods"), "PUT");
    hx_stop();
}

static void test_what_is_no_preflight(void **state) {
    (void)state;
    start("https://shop.example");
    hx_expect_error(hx_request("OPTIONS /api/things", OTHER ASKS, NULL), 405, "no such method");
    hx_expect_error(hx_request("OPTIONS /api/things", ASKS, NULL), 405, "no such method");
    hx_expect_error(hx_request("OPTIONS /api/things", SHOP, NULL), 405, "no such method");
    hx_expect_error(hx_request("OPTIONS /nowhere", SHOP ASKS, NULL), 404, "No such path");
    hx_stop();
}

static void test_it_is_off(void **state) {
    (void)state;
    start("");
    struct hx_answer *a = hx_request("GET /api/things", SHOP, NULL);
    hx_expect(a, 200, "{}");
    assert_null(hx_header(a, "access-control-allow-origin"));
    assert_null(hx_header(a, "vary"));
    hx_expect_error(hx_request("OPTIONS /api/things", SHOP ASKS, NULL), 405, "no such method");
    hx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_of_origins),           cmocka_unit_test(test_what_is_no_origin),
        cmocka_unit_test(test_a_listed_page_reads_answers), cmocka_unit_test(test_it_reads_errors_too),
        cmocka_unit_test(test_other_pages_do_not),          cmocka_unit_test(test_a_preflight),
        cmocka_unit_test(test_what_is_no_preflight),        cmocka_unit_test(test_it_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
