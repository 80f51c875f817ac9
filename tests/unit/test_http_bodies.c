/* http: routes that take large bodies, beside others that don't; and large answers. */
#include "http_fixture.h"

#include <stdatomic.h>
#include <sys/time.h>

#include "session_forge.h"

enum { ANSWER = 12 * 1000 * 1000, LARGE = 2 * 1000 * 1000, MOST = 8, OF_USER = 2 };

static EVP_PKEY *pkey;

static char *new_token(void) {
    char *kid = kid_of(pkey), id[UUID_TEXT];
    struct uuid user = uuid_v7();
    uuid_format(&user, id);
    long now_s = (long)(clock_wall_us() / 1000000);
    char *header = text("{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid);
    char *claims = text(
        "{\"iss\":\"onsale\",\"aud\":\"onsale\",\"sub\":\"%.*s\",\"email\":\"a@b.c\",\"iat\":%ld,\"exp\":%ld}",
        UUID_TEXT, id, now_s, now_s + 600);
    char *token = forge_rs256(pkey, header, claims);
    free(kid);
    free(header);
    free(claims);
    return token;
}

static atomic_bool let_go;
static atomic_int waiting;

static void wait_for_it(struct req *rq) {
    if (let_go)
        req_reply(rq, 200);
    else
        req_later(rq, wait_for_it);
}

static void begin_to_wait(struct req *rq) {
    waiting++;
    wait_for_it(rq);
}

static char answer[ANSWER];

static void say_much(struct req *rq) {
    req_reply_kept(rq, 200, "image/webp", (struct str){answer, ANSWER});
}

/* The clock that h2o goes by. */
static _Atomic long clock_set_by_s;

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    int64_t us = clock_wall_us();
    *now = (struct timeval){.tv_sec = us / 1000000 + clock_set_by_s, .tv_usec = us % 1000000};
    return 0;
}

static void say_size(struct req *rq) {
    json_int(req_json(rq), (int64_t)req_raw_body(rq).n);
    req_reply(rq, 200);
}

static const struct route routes[] = {
    {"GET", "/much", say_much, 0},
    {"POST", "/small", say_size, 0},
    {"POST", "/large", say_size, ROUTE_LARGE_BODY},
    {"POST", "/form", say_size, ROUTE_LARGE_BODY},
    {"POST", "/waits", begin_to_wait, ROUTE_LARGE_BODY},
    {0},
};

static bool lead_back(struct buf *location, const struct route *route, const struct uuid *first, int status) {
    (void)first;
    if (strcmp(route->path, "/form") != 0) return false;
    buf_printf(location, "/page?%d", status);
    return true;
}

static void send_line(struct hx_conn *c, const char *path, const char *token) {
    char head[2048];
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\n", path);
    hx_send(c, head);
    if (token == NULL) return;
    snprintf(head, sizeof head, "Authorization: Bearer %s\r\n", token);
    hx_send(c, head);
}

static struct hx_answer *send_bytes(const char *path, size_t n, bool chunked) {
    struct hx_conn *c = hx_connect();
    char head[128], *bytes = calloc(1, n + 1), *token = new_token();
    send_line(c, path, token);
    free(token);
    hx_send(c, chunked ? "Transfer-Encoding: " : "Content-Length: ");
    snprintf(head, sizeof head, chunked ? "chunked\r\n\r\n%zx\r\n" : "%zu\r\n\r\n", n);
    hx_send(c, head);
    hx_write(c, bytes, n);
    if (chunked) hx_send(c, "\r\n0\r\n\r\n");
    struct hx_answer *a = hx_receive(c, false);
    free(bytes);
    hx_close(c);
    return a;
}

static void a_route_takes_what_it_says(void **state) {
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        hx_expect(send_bytes("/large", LARGE - 1, chunked), 200, "1999999");
        hx_expect(send_bytes("/Large/?x=1", 65537, chunked), 200, "65537");
        hx_expect_error(send_bytes("/large", LARGE + 1, chunked), 413, "than this route takes");
    }
}

static void all_others_take_no_more_than_before(void **state) {
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        hx_expect(send_bytes("/small", 65536, chunked), 200, "65536");
        hx_expect_error(send_bytes("/small", 65537, chunked), 413, "64 KiB");
        hx_expect_error(send_bytes("/nowhere", 65537, chunked), 413, "64 KiB");
        hx_expect_error(send_bytes("/small", LARGE + 1, chunked), 413, "64 KiB");
    }
}

/* The head and the body's first part; the rest does not come. */
static struct hx_conn *begin(const char *path, const char *token) {
    enum { PART = 200 * 1000 };
    struct hx_conn *c = hx_connect();
    char head[64], *bytes = calloc(1, PART);
    send_line(c, path, token);
    snprintf(head, sizeof head, "Content-Length: %d\r\n\r\n", LARGE - 1);
    hx_send(c, head);
    assert_true(hx_write(c, bytes, PART));
    free(bytes);
    return c;
}

static struct hx_conn *begin_as_somebody(const char *path) {
    char *token = new_token();
    struct hx_conn *c = begin(path, token);
    free(token);
    return c;
}

/* It is answered although its end does not come, and then it is over. */
static void ends_with(struct hx_conn *c, int status, const char *words) {
    hx_expect_error(hx_receive(c, false), status, words);
    assert_true(hx_closed(c));
    hx_close(c);
}

static void what_grows_too_large_is_not_waited_for(void **state) {
    (void)state;
    ends_with(begin_as_somebody("/small"), 413, "64 KiB");
    ends_with(begin_as_somebody("/nowhere"), 413, "64 KiB");
}

static void whoever_is_not_signed_in_sends_nothing_large(void **state) {
    (void)state;
    ends_with(begin("/large", NULL), 401, "Sign in");
    ends_with(begin("/large", "no.session.this"), 401, "Sign in");
}

static void a_form_is_led_back(void **state) {
    (void)state;
    struct hx_conn *c = begin("/form", NULL);
    struct hx_answer *a = hx_receive(c, false);
    assert_int_equal(a->status, 303);
    assert_string_equal(hx_header(a, "location"), "/page?401");
    hx_close(c);
    a = send_bytes("/form", LARGE + 1, false);
    assert_int_equal(a->status, 303);
    assert_string_equal(hx_header(a, "location"), "/page?413");
    assert_int_equal(a->n, 0);
    hx_expect(send_bytes("/form", 3, false), 200, "3");
}

static int answered(struct hx_conn *const *all, int n) {
    int count = 0;
    for (int i = 0; i < n; i++) {
        struct pollfd something = {.fd = all[i]->fd, .events = POLLIN};
        count += poll(&something, 1, 0) == 1;
    }
    return count;
}

/* Waits until all but `most` are refused, and closes them. */
static void all_but(int most, struct hx_conn **all, int n) {
    hx_until(answered(all, n) == n - most);
    for (int i = 0; i < n; i++)
        if (answered(&all[i], 1) == 1)
            ends_with(all[i], 503, "try again");
        else
            hx_close(all[i]);
}

/* Of more than may be read at a time some end, and the others go on. */
static void only_some_large_ones_are_read_at_a_time(void **state) {
    (void)state;
    struct hx_conn *all[MOST + 3];
    for (int i = 0; i < MOST + 3; i++)
        all[i] = begin_as_somebody("/large");
    all_but(MOST, all, MOST + 3);
    hx_expect(send_bytes("/large", LARGE - 1, false), 200, "1999999");
}

static void nobody_sends_more_than_some_at_a_time(void **state) {
    (void)state;
    struct hx_conn *all[OF_USER + 2];
    char *token = new_token();
    for (int i = 0; i < OF_USER + 2; i++)
        all[i] = begin("/large", token);
    free(token);
    all_but(OF_USER, all, OF_USER + 2);
}

/* They are in memory until they are answered. */
static void those_that_are_here_count(void **state) {
    (void)state;
    struct hx_conn *all[MOST];
    for (int i = 0; i < MOST; i++) {
        char *token = new_token(), head[64], *bytes = calloc(1, LARGE);
        all[i] = hx_connect();
        send_line(all[i], "/waits", token);
        snprintf(head, sizeof head, "Content-Length: %d\r\n\r\n", LARGE);
        hx_send(all[i], head);
        assert_true(hx_write(all[i], bytes, LARGE));
        free(token);
        free(bytes);
    }
    hx_until(waiting == MOST);
    ends_with(begin_as_somebody("/large"), 503, "try again");
    let_go = true;
    for (int i = 0; i < MOST; i++) {
        assert_int_equal(hx_receive(all[i], false)->status, 200);
        hx_close(all[i]);
    }
}

/* Than others: whoever takes it slowly still gets all of it. */
static void a_large_answer_may_take_longer(void **state) {
    (void)state;
    struct hx_conn *c = hx_begin("/much"), *slow = hx_connect();
    char first;
    assert_int_equal(recv(c->fd, &first, 1, 0), 1);
    hx_send(slow, "GET /mu");
    hx_get("/nowhere");
    clock_set_by_s += 12;
    assert_true(hx_closed(slow)); /* one whose time is over at the same time */
    size_t got = 1;
    for (ssize_t n; got < ANSWER && (n = recv(c->fd, c->buf, sizeof c->buf, 0)) > 0;)
        got += (size_t)n;
    assert_true(got >= ANSWER);
    hx_close(slow);
    hx_close(c);
}

static int set_up(void **state) {
    struct why w;
    pkey = EVP_RSA_gen(2048);
    char *jwks = jwks_of(pkey, NULL);
    struct session_keys *keys = session_keys_fixed(keyset_parse(str_of(jwks), &w));
    free(jwks);
    *state = keys;
    hx_start((struct http_options){
        .routes = routes, .threads = 1, .large_body = LARGE, .lead_back = lead_back, .keys = keys});
    return 0;
}

static int tear_down(void **state) {
    hx_stop();
    session_keys_free(*state);
    EVP_PKEY_free(pkey);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_takes_what_it_says),
        cmocka_unit_test(all_others_take_no_more_than_before),
        cmocka_unit_test(what_grows_too_large_is_not_waited_for),
        cmocka_unit_test(whoever_is_not_signed_in_sends_nothing_large),
        cmocka_unit_test(a_form_is_led_back),
        cmocka_unit_test(only_some_large_ones_are_read_at_a_time),
        cmocka_unit_test(nobody_sends_more_than_some_at_a_time),
        cmocka_unit_test(those_that_are_here_count),
        cmocka_unit_test(a_large_answer_may_take_longer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
