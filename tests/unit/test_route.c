#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "priv/route.h"

#define A "0199a2c0-0000-7000-8000-00000000000a"
#define B "0199a2c0-0000-7000-8000-00000000000b"

static void never(struct req *rq) {
    (void)rq;
}

static const struct route routes[] = {
    {"GET", "/", never, 0},
    {"GET", "/api/tickets", never, 0},
    {"POST", "/api/tickets", never, 0},
    {"GET", "/api/tickets/{uuid}", never, 0},
    {"PUT", "/api/tickets/{uuid}", never, 0},
    {"GET", "/api/tickets/mine", never, 0},
    {"DELETE", "/api/a/{uuid}/b/{uuid}", never, 0},
    {"GET", "/.well-known/jwks.json", never, 0},
    {"HEAD", "/own/head", never, 0},
    {"GET", "/own/head", never, 0},
    {"GET", "/v1/{text}", never, 0},
    {"POST", "/v1/{text}/to/{text}", never, 0},
    {"GET", "/v1/mine", never, 0},
    {"GET", "/both/{uuid}", never, 0},
    {"GET", "/both/{text}", never, 0},
    {0},
};

static struct route_tree *tree;
static struct route_match match;

/* "METHOD PATTERN", "allow: …" or "none". */
static const char *find(const char *method, const char *path) {
    static char text[256];
    route_find(tree, str_of(method), str_of(path), &match);
    if (match.route != NULL)
        snprintf(text, sizeof text, "%s %s", match.route->method, match.route->path);
    else if (match.allow != NULL)
        snprintf(text, sizeof text, "allow: %s", match.allow);
    else
        return "none";
    return text;
}

static void finds_every_route_in_any_spelling(void **state) {
    (void)state;
    assert_string_equal(find("GET", "/"), "GET /");
    assert_string_equal(find("GET", "/api/tickets"), "GET /api/tickets");
    assert_string_equal(find("POST", "/api/tickets/"), "POST /api/tickets");
    assert_string_equal(find("GET", "/API/Tickets/"), "GET /api/tickets");
    assert_string_equal(find("GET", "/.well-known/JWKS.json"), "GET /.well-known/jwks.json");
    assert_string_equal(find("GET", "/api/tickets/MINE"), "GET /api/tickets/mine");
}

static void takes_ids(void **state) {
    (void)state;
    struct uuid a, b;
    assert_true(uuid_parse(STR(A), &a) && uuid_parse(STR(B), &b));
    assert_string_equal(find("PUT", "/api/tickets/" A "/"), "PUT /api/tickets/{uuid}");
    assert_true(uuid_eq(&match.uuids[0], &a));
    assert_string_equal(find("DELETE", "/api/A/" A "/b/0199A2C0-0000-7000-8000-00000000000B"),
                        "DELETE /api/a/{uuid}/b/{uuid}");
    assert_true(uuid_eq(&match.uuids[0], &a) && uuid_eq(&match.uuids[1], &b));
    assert_string_equal(find("GET", "/api/tickets/5"), "none");
    assert_string_equal(find("GET", "/api/tickets/" A "0"), "none");
    assert_string_equal(find("GET", "/api/tickets/{uuid}"), "none");
}

static void takes_texts(void **state) {
    (void)state;
    assert_string_equal(find("GET", "/v1/pi_1A/"), "GET /v1/{text}");
    assert_true(str_eq(match.texts[0], STR("pi_1A")));
    assert_string_equal(find("GET", "/v1/{text}"), "GET /v1/{text}");
    assert_string_equal(find("POST", "/V1/a%20b/TO/é"), "POST /v1/{text}/to/{text}");
    assert_true(str_eq(match.texts[0], STR("a%20b")) && str_eq(match.texts[1], STR("é")));
    assert_string_equal(find("GET", "/v1/MINE"),
                        "GET /v1/mine"); /* what is written in the table comes first */
    assert_string_equal(find("GET", "/both/" A), "GET /both/{uuid}");
    assert_string_equal(find("GET", "/both/" A "0"), "GET /both/{text}");
    assert_string_equal(find("GET", "/v1/"), "none");
    assert_string_equal(find("GET", "/v1//"), "none");
    assert_string_equal(find("POST", "/v1/a/to/"), "none");
}

static void finds_nothing_else(void **state) {
    (void)state;
    static const char *const paths[] = {"/api",
                                        "/api/",
                                        "//",
                                        "//api/tickets",
                                        "/api//tickets",
                                        "/api/tickets//",
                                        "/api/ticket",
                                        "/api/ticketsx",
                                        ("/api/tickets/" A "/x"),
                                        ("/api/a/" A "/b"),
                                        "/api/tickets\t"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_string_equal(find("GET", paths[i]), "none");
    assert_string_equal(find("GET", "/api/a/" A), "none");
}

static void knows_the_methods(void **state) {
    (void)state;
    assert_string_equal(find("HEAD", "/api/tickets"), "GET /api/tickets");
    assert_string_equal(find("HEAD", "/own/head"), "HEAD /own/head");
    assert_string_equal(find("DELETE", "/api/tickets"), "allow: GET, HEAD, POST");
    assert_string_equal(find("get", "/api/tickets"), "allow: GET, HEAD, POST"); /* methods do have a case */
    assert_string_equal(find("OPTIONS", "/api/a/" A "/b/" B), "allow: DELETE");
    assert_string_equal(find("HEAD", "/api/a/" A "/b/" B), "allow: DELETE");
}

static int set_up(void **state) {
    (void)state;
    tree = route_tree_new(routes);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    route_tree_free(tree);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_route_in_any_spelling),
        cmocka_unit_test(takes_ids),
        cmocka_unit_test(takes_texts),
        cmocka_unit_test(finds_nothing_else),
        cmocka_unit_test(knows_the_methods),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
