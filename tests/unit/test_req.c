/* req: what a handler reads of a request, and what it answers. */
#include "http_fixture.h"

#include <stdatomic.h>

#include "session_forge.h"

static EVP_PKEY *pkey;
static char *kid;

/* --- handlers --- */

static void say_user(struct req *rq) {
    const struct identity *user = req_user(rq);
    struct json *j = req_json(rq);
    if (user == NULL)
        json_nil(j);
    else
        json_text(j, user->email);
    req_reply(rq, 200);
}

static struct req *_Atomic waiting;

static void wait_with_user(struct req *rq) {
    req_user(rq);
    req_hold(rq);
    waiting = rq;
}

static void say_user_late(struct req *rq, void *arg) {
    (void)arg;
    say_user(rq);
}

struct ticket {
    struct str title;
    struct uuid id;
};

static const struct body_field ticket_fields[] = {
    {"title", body_text, offsetof(struct ticket, title), true},
    {"id", body_uuid, offsetof(struct ticket, id), true},
    {0},
};

static void take_ticket(struct req *rq) {
    struct ticket t = {0};
    if (!req_body(rq, ticket_fields, &t)) return;
    json_text(req_json(rq), t.title);
    req_reply(rq, 201);
}

static void say_query(struct req *rq) {
    struct str q;
    struct json *j = req_json(rq);
    if (req_query(rq, "q", &q))
        json_text(j, q);
    else
        json_nil(j);
    req_reply(rq, 200);
}

static void say_key(struct req *rq) {
    struct str key, header;
    if (!req_idempotency_key(rq, &key)) return;
    if (req_header(rq, "x-other", &header)) key = header;
    json_text(req_json(rq), key);
    req_reply(rq, 200);
}

static void say_address(struct req *rq) {
    json_text(req_json(rq), req_client_address(rq));
    req_reply(rq, 200);
}

static void say_trace(struct req *rq) {
    json_text(req_json(rq), req_traceparent(rq));
    req_reply(rq, 200);
}

static void set_cookies(struct req *rq) {
    req_set_cookie(rq, "session", STR("abc"), 3600);
    req_set_header(rq, "link", STR("</x>; rel=next"));
    req_set_header(rq, "x-evil", STR("a\r\nset-cookie: b=c"));
    req_set_header(rq, "cache-control", STR("max-age=60"));
    req_set_header(rq, "cache-control", STR("max-age=61"));
    req_reply(rq, 204);
}

static void clear_cookie(struct req *rq) {
    req_set_cookie(rq, "session", STR("ignored"), 0);
    req_reply(rq, 200);
}

static void answer_twice(struct req *rq) {
    json_text(req_json(rq), STR("never seen"));
    req_fail(rq, 409, "title", "is %s", "taken \"here\"");
    json_text(req_json(rq), STR("not in the answer"));
    req_reply(rq, 200);
    req_fail(rq, 500, NULL, "neither");
    req_set_header(rq, "x-late", STR("x"));
    req_reply_raw(rq, 200, "text/plain", STR("nor this"));
}

static void ask_to_wait(struct req *rq) {
    req_retry_after(rq, 429, 17, "too many");
}

static void answer_html(struct req *rq) {
    char type[] = "text/html; charset=utf-8";
    req_reply_raw(rq, 404, type, STR("<p>none</p>"));
    memset(type, 'x', sizeof type);
}

static void say_state(struct req *rq) {
    req_set_state(rq, req_alloc(rq, 100));
    memset(req_state(rq), 1, 100);
    json_text(req_json(rq), str_of(req_service(rq)));
    req_reply(rq, 200);
}

static const struct route routes[] = {
    {"GET", "/user", say_user, 0},
    {"GET", "/mine", say_user, ROUTE_SESSION},
    {"GET", "/wait-with-user", wait_with_user, ROUTE_SESSION},
    {"POST", "/tickets", take_ticket, 0},
    {"POST", "/my/tickets", take_ticket, ROUTE_SESSION},
    {"GET", "/query", say_query, 0},
    {"GET", "/key", say_key, 0},
    {"GET", "/address", say_address, 0},
    {"GET", "/trace", say_trace, 0},
    {"GET", "/cookies", set_cookies, 0},
    {"GET", "/clear", clear_cookie, 0},
    {"GET", "/twice", answer_twice, 0},
    {"GET", "/wait", ask_to_wait, 0},
    {"GET", "/html", answer_html, 0},
    {"GET", "/state", say_state, 0},
    {0},
};

/* --- who --- */

static char *token_for(const char *email, int expires_in) {
    int64_t now = clock_wall_us() / 1000000;
    char *header = text("{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", kid);
    char *claims = text(
        "{\"iss\":\"" SESSION_ISSUER "\",\"aud\":\"" SESSION_AUDIENCE
        "\",\"sub\":\"0199a2c0-0000-7000-8000-00000000000a\",\"email\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
        email, (long long)now, (long long)now + expires_in);
    char *token = forge_rs256(pkey, header, claims);
    free(header);
    free(claims);
    return token;
}

static struct hx_answer *with(const char *line, const char *format, const char *a, const char *b) {
    char headers[8192];
    snprintf(headers, sizeof headers, format, a, b);
    return hx_request(line, headers, NULL);
}

static void who_is_asking(void **state) {
    (void)state;
    char *ann = token_for("ann@x.test", 60), *bob = token_for("bob@x.test", 60),
         *old = token_for("old@x.test", -60);
    for (int turn = 0; turn < 2; turn++) { /* the second time from the cache */
        hx_expect(with("GET /user", "Cookie: __Host-session=%s\r\n", ann, ""), 200, "\"ann@x.test\"");
        hx_expect(with("GET /user", "Authorization: Bearer %s\r\n", bob, ""), 200, "\"bob@x.test\"");
        hx_expect(with("GET /mine", "authorization: bearer  %s \r\n", ann, ""), 200, "\"ann@x.test\"");
    }
    hx_expect(hx_get("/user"), 200, "null");
    hx_expect(with("GET /user", "Authorization: Bearer %s\r\nCookie: __Host-session=%s\r\n", bob, ann), 200,
              "\"bob@x.test\"");
    hx_expect(with("GET /user", "Authorization: Bearer %s\r\nCookie: __Host-session=%s\r\n", old, ann), 200,
              "null");
    hx_expect(with("GET /user", "Authorization: Basic %s\r\nCookie: __Host-session=%s\r\n", bob, ann), 200,
              "\"ann@x.test\"");
    hx_expect(
        with("GET /user", "Cookie: a=b; ;x;  __Host-session = \"%s\" ; __Host-session=%s\r\n", ann, bob), 200,
        "\"ann@x.test\"");
    hx_expect(with("GET /user", "Cookie: session=%s; =; x__Host-session=1\r\nCookie: __Host-session=%s\r\n",
                   bob, ann),
              200, "\"ann@x.test\"");
    static const char *const refused[] = {"Cookie: __Host-session=%s\r\n", "Authorization: Bearer %s\r\n"};
    for (int i = 0; i < 2; i++) {
        hx_expect(with("GET /user", refused[i], old, ""), 200, "null");
        hx_expect(with("GET /user", refused[i], "", ""), 200, "null");
        hx_expect(with("GET /user", refused[i], "a.b.c", ""), 200, "null");
        struct hx_answer *a = with("GET /mine", refused[i], old, "");
        hx_expect_error(a, 401, "Sign in");
        assert_string_equal(hx_header(a, "www-authenticate"), "Bearer");
    }
    free(ann);
    free(bob);
    free(old);
}

static void who_is_asking_stays_though_the_session_ends(void **state) {
    (void)state;
    char *ann = token_for("ann@x.test", 2);
    char *request = text("GET /wait-with-user HTTP/1.1\r\nHost: x\r\nCookie: __Host-session=%s\r\n\r\n", ann);
    struct hx_conn *c = hx_connect();
    hx_send(c, request);
    hx_until(waiting != NULL);
    hx_until(strcmp(with("GET /user", "Cookie: __Host-session=%s\r\n", ann, "")->body, "null") == 0);
    req_resume(waiting, say_user_late, NULL);
    hx_expect(hx_receive(c, false), 200, "\"ann@x.test\"");
    hx_close(c);
    free(request);
    free(ann);
}

static void the_order_of_checks(void **state) {
    (void)state;
    hx_expect_error(hx_request("POST /nowhere", "", "{"), 404, "No such path");
    hx_expect_error(hx_request("PATCH /my/tickets", "", "{"), 405, "no such method");
    hx_expect_error(hx_request("POST /my/tickets", "", "{"), 401, "Sign in");
    hx_expect_error(hx_request("POST /tickets", "", "{"), 400, "valid JSON");
}

/* --- the body --- */

static void all_errors_of_a_body_come_at_once(void **state) {
    (void)state;
    hx_expect(hx_request("POST /tickets", "Content-Type: application/json\r\n", "{\"title\":5}"), 400,
              "{\"errors\":[{\"message\":\"Title must be a string\",\"field\":\"title\"},"
              "{\"message\":\"Id is required\",\"field\":\"id\"}]}");
    hx_expect(hx_request("POST /tickets", "", ""), 400,
              "{\"errors\":[{\"message\":\"Title is required\",\"field\":\"title\"},"
              "{\"message\":\"Id is required\",\"field\":\"id\"}]}");
    hx_expect(hx_request("POST /tickets", "", NULL), 400,
              "{\"errors\":[{\"message\":\"Title is required\",\"field\":\"title\"},"
              "{\"message\":\"Id is required\",\"field\":\"id\"}]}");
    hx_expect(hx_request("POST /tickets", "", "[]"), 400,
              "{\"errors\":[{\"message\":\"The body must be a JSON object\"}]}");
}

static void content_types(void **state) {
    (void)state;
    const char *body = "{\"title\":\"caf\\u00e9\",\"id\":\"0199a2c0-0000-7000-8000-00000000000a\"}";
    hx_expect(hx_request("POST /tickets", "", body), 201, "\"café\"");
    hx_expect(hx_request("POST /tickets", "Content-Type: Application/JSON ; charset=utf-8\r\n", body), 201,
              "\"café\"");
    static const char *const others[] = {"text/plain", "application/jsonp",
                                         "application/x-www-form-urlencoded", "", ";"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char header[80];
        snprintf(header, sizeof header, "Content-Type: %s\r\n", others[i]);
        hx_expect_error(hx_request("POST /tickets", header, body), 400, "Content-Type");
    }
}

/* --- the rest of a request --- */

static void queries_are_decoded(void **state) {
    (void)state;
    static const struct {
        const char *path, *wanted;
    } cases[] = {
        {"/query", "null"},
        {"/query?", "null"},
        {"/query?qq=1&Q=2", "null"},
        {"/query?q", "\"\""},
        {"/query?q=", "\"\""},
        {"/query?a=1&q=x+y%20z%2B&q=2", "\"x y z+\""},
        {"/query?%71=caf%c3%a9=%", "\"café=%\""},
        {"/query?q=%4", "\"%4\""},
        {"/query?q=%zz%41", "\"%zzA\""},
        {"/query?&&q=1?2", "\"1?2\""},
        {"/%71uery/?q=a/../b", "\"a/../b\""},
        {"/query?q=%00", "\"\\u0000\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        hx_expect(hx_get(cases[i].path), 200, cases[i].wanted);
}

static void idempotency_keys(void **state) {
    (void)state;
    hx_expect(hx_get("/key"), 200, "\"\"");
    hx_expect(hx_request("GET /key", "Idempotency-Key: \"abc-1\"\r\n", NULL), 200, "\"\\\"abc-1\\\"\"");
    hx_expect(hx_request("GET /key", "X-OTHER: y\r\n", NULL), 200, "\"y\"");
    char header[400];
    for (int n = 255; n <= 256; n++) {
        char key[300] = "";
        memset(key, 'k', (size_t)n);
        snprintf(header, sizeof header, "Idempotency-Key: %s\r\n", key);
        assert_int_equal(hx_request("GET /key", header, NULL)->status, n == 255 ? 200 : 400);
    }
    static const char *const bad[] = {"", "a b", "caf\xc3\xa9", "a\tb"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(header, sizeof header, "Idempotency-Key: %s\r\n", bad[i]);
        hx_expect_error(hx_request("GET /key", header, NULL), 400, "printable");
    }
    hx_expect_error(hx_request("GET /key", "Idempotency-Key: a\r\nIdempotency-Key: a\r\n", NULL), 400, "one");
}

/* The peer, 127.0.0.1, is trusted; so are 10.0.0.0/8, 192.168.7.5 and fd00::/8. */
static void a_forged_address_buys_nothing(void **state) {
    (void)state;
    static const struct {
        const char *headers, *wanted;
    } cases[] = {
        {"", "127.0.0.1"},
        {"X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4"},
        {"X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n", "1.2.3.4"}, /* the first was sent by the client */
        {"X-Forwarded-For: 6.6.6.6,1.2.3.4 , 10.255.0.1,192.168.7.5\r\n", "1.2.3.4"},
        {"X-Forwarded-For: 6.6.6.6, 192.168.7.6\r\n", "192.168.7.6"},
        {"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4"},
        {"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 10.0.0.1\r\n", "1.2.3.4"},
        {"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", "10.0.0.1"},
        {"X-Forwarded-For: 6.6.6.6, rubbish, 10.0.0.1\r\n", "10.0.0.1"},
        {"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: rubbish\r\n", "127.0.0.1"},
        {"X-Forwarded-For: 1.2.3.4, \r\n", "127.0.0.1"},
        {"X-Forwarded-For: \r\n", "127.0.0.1"},
        {"X-Forwarded-For: 1.2.3.4:5678\r\n", "1.2.3.4"},
        {"X-Forwarded-For: [2001:DB8:0::1]:5678\r\n", "2001:db8::1"},
        {"X-Forwarded-For: 6.6.6.6, 2001:db8::1, fd00::7\r\n", "2001:db8::1"},
        {"X-Forwarded-For: ::ffff:1.2.3.4\r\n", "1.2.3.4"},
        {"X-Forwarded-For: ::ffff:10.1.2.3, 1.2.3.4, ::ffff:10.1.2.3\r\n", "1.2.3.4"},
        {"X-Forwarded-For: 6.6.6.6, 127.0.0.1\r\n", "127.0.0.1"}, /* a client beside the proxy */
        {"X-Forwarded-For: 6.6.6.6, 10.0.0.1, 10.0.0.1\r\n", "10.0.0.1"},
        {"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: ::ffff:127.0.0.1\r\n", "127.0.0.1"},
        {"X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\n", "127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[80];
        snprintf(wanted, sizeof wanted, "\"%s\"", cases[i].wanted);
        hx_expect(hx_request("GET /address", cases[i].headers, NULL), 200, wanted);
    }
}

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static void a_trace_goes_on_or_starts(void **state) {
    (void)state;
    static const struct {
        const char *headers, *flags; /* NULL: a new trace */
    } cases[] = {
        {"traceparent: 00-" TRACE "-b7ad6b7169203331-00\r\n", "00"},
        {"TraceParent: 00-" TRACE "-b7ad6b7169203331-01\r\n", "01"},
        {"traceparent: cc-" TRACE "-b7ad6b7169203331-01-what-comes\r\n", "01"},
        {"", NULL},
        {"traceparent: \r\n", NULL},
        {"traceparent: 00-" TRACE "-b7ad6b7169203331-01-x\r\n", NULL},
        {"traceparent: cc-" TRACE "-b7ad6b7169203331-01x\r\n", NULL},
        {"traceparent: ff-" TRACE "-b7ad6b7169203331-01\r\n", NULL},
        {"traceparent: 00-" TRACE "-b7ad6b7169203331-0\r\n", NULL},
        {"traceparent: 00-" TRACE "-b7ad6b7169203331-0g\r\n", NULL},
        {"traceparent: 00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01\r\n", NULL},
        {"traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n", NULL},
        {"traceparent: 00-" TRACE "-0000000000000000-01\r\n", NULL},
        {"traceparent: 00_" TRACE "_b7ad6b7169203331_01\r\n", NULL},
        {"traceparent: 00-" TRACE "-b7ad6b7169203331-01\r\ntraceparent: 00-" TRACE "-b7ad6b7169203331-01\r\n",
         NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hx_answer *a = hx_request("GET /trace", cases[i].headers, NULL);
        const char *ours = hx_header(a, "traceparent");
        assert_int_equal(strlen(ours), 55);
        assert_memory_equal(a->body + 1, ours, 55); /* what the handler saw */
        assert_memory_equal(ours, "00-", 3);
        bool goes_on = memcmp(ours + 3, TRACE, 32) == 0;
        if (goes_on != (cases[i].flags != NULL)) fail_msg("%s became %s", cases[i].headers, ours);
        assert_string_equal(ours + 53, goes_on ? cases[i].flags : "01");
        assert_in_range(strspn(ours + 3, "0"), 0, 31);
        assert_memory_not_equal(ours + 36, "b7ad6b7169203331", 16); /* a span of our own */
    }
    char first[1024];
    snprintf(first, sizeof first, "%s", hx_header(hx_get("/trace"), "traceparent"));
    assert_string_not_equal(hx_header(hx_get("/trace"), "traceparent"), first);
}

/* --- the answer --- */

static void headers_of_an_answer(void **state) {
    (void)state;
    struct hx_answer *a = hx_get("/cookies");
    assert_int_equal(a->status, 204);
    assert_string_equal(hx_header(a, "set-cookie"),
                        "__Host-session=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure");
    assert_string_equal(hx_header(a, "link"), "</x>; rel=next");
    assert_string_equal(hx_header(a, "x-evil"), "a  set-cookie: b=c");
    assert_string_equal(hx_header(a, "cache-control"), "max-age=61");
    a = hx_get("/clear");
    assert_string_equal(hx_header(a, "set-cookie"),
                        "__Host-session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure");
    a = hx_get("/wait");
    hx_expect_error(a, 429, "Too many");
    assert_string_equal(hx_header(a, "retry-after"), "17");
    a = hx_get("/html");
    hx_expect(a, 404, "<p>none</p>");
    assert_string_equal(hx_header(a, "content-type"), "text/html; charset=utf-8");
    hx_expect(hx_get("/state"), 200, "\"of the service\"");
}

static void an_answer_is_given_once(void **state) {
    (void)state;
    struct hx_answer *a = hx_get("/twice");
    hx_expect(a, 409, "{\"errors\":[{\"message\":\"Title is taken \\\"here\\\"\",\"field\":\"title\"}]}");
    assert_null(hx_header(a, "x-late"));
}

static void bad_proxy_lists_are_refused(void **state) {
    (void)state;
    static const char *const lists[] = {"10.0.0.0/33", "10.0.0",     "x",          "10.0.0.0/",
                                        "fd00::/129",  "1.2.3.4/-1", "1.2.3.4/8x", "1.2.3.4;5.6.7.8"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct why w;
        struct http_options options = {.service = "t",
                                       .address = "127.0.0.1",
                                       .threads = 1,
                                       .routes = routes,
                                       .trusted_proxies = lists[i]};
        assert_null(http_start(&options, &w));
        assert_non_null(strstr(w.text, "10.0.0.0/8"));
    }
}

static int set_up(void **state) {
    (void)state;
    struct why w;
    pkey = EVP_RSA_gen(2048);
    kid = kid_of(pkey);
    char *jwks = jwks_of(pkey, NULL);
    struct session_keys *keys = session_keys_fixed(keyset_parse(str_of(jwks), &w));
    free(jwks);
    *state = keys;
    hx_start((struct http_options){.routes = routes,
                                   .state = "of the service",
                                   .keys = keys,
                                   .secure_cookies = true,
                                   .trusted_proxies = "127.0.0.1, 10.0.0.0/8,192.168.7.5 fd00::/8"});
    return 0;
}

static int tear_down(void **state) {
    hx_stop();
    session_keys_free(*state);
    EVP_PKEY_free(pkey);
    free(kid);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_asking),
        cmocka_unit_test(who_is_asking_stays_though_the_session_ends),
        cmocka_unit_test(the_order_of_checks),
        cmocka_unit_test(all_errors_of_a_body_come_at_once),
        cmocka_unit_test(content_types),
        cmocka_unit_test(queries_are_decoded),
        cmocka_unit_test(idempotency_keys),
        cmocka_unit_test(a_forged_address_buys_nothing),
        cmocka_unit_test(a_trace_goes_on_or_starts),
        cmocka_unit_test(headers_of_an_answer),
        cmocka_unit_test(an_answer_is_given_once),
        cmocka_unit_test(bad_proxy_lists_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
