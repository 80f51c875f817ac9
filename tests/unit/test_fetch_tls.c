/* fetch by https: which servers it trusts, what it shows of itself, files that change. */
#include "http_fixture.h"

#include "certificates.h"
#include "fetch_blocking.h"
#include "tls.h"

static struct certified authority, other, server, mine, renewed, stranger;
static char dir[] = "/tmp/onsale-tls-XXXXXX", paths[8][64];
enum { CERT, KEY, CA, MY_CERT, MY_KEY, OTHER_CA, NOBODY_CERT, NOBODY_KEY };
static struct tls *tls;

static void say_hello(struct req *rq) {
    req_reply_raw(rq, 200, "text/plain", STR("hello"));
}

static const struct route routes[] = {{"GET", "/hello", say_hello, 0}, {0}};

static struct fetch_blocking *client_with(const char *ca, const char *cert, const char *key) {
    return fetch_blocking_new(&(struct fetch_options){.connect_timeout_ms = HX_PATIENCE_S * 1000,
                                                      .max_answer = 100,
                                                      .no_reuse = true,
                                                      .tls = {.ca = ca, .cert = cert, .key = key}});
}

static enum status ask(struct fetch_blocking *client, const char *scheme, int port) {
    char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d/hello", scheme, port);
    struct fetch_answer answer = fetch_blocking_perform(
        client, &(struct fetch_request){.method = "GET", .url = url, .timeout_ms = HX_PATIENCE_S * 1000});
    if (answer.st == ST_OK) assert_true(str_eq(answer.body, STR("hello")));
    return answer.st;
}

static enum status once(const char *ca, const char *cert, const char *key) {
    struct fetch_blocking *client = client_with(ca, cert, key);
    enum status st = ask(client, "https", hx_port);
    fetch_blocking_free(client);
    return st;
}

static void each_shows_itself_to_the_other(void **state) {
    (void)state;
    assert_int_equal(once(paths[CA], paths[MY_CERT], paths[MY_KEY]), ST_OK);
    assert_int_equal(once(paths[CA], "", ""), ST_LOST);
    assert_int_equal(once(paths[CA], paths[NOBODY_CERT], paths[NOBODY_KEY]), ST_LOST);
    assert_int_equal(once(paths[OTHER_CA], paths[MY_CERT], paths[MY_KEY]), ST_LOST);
    assert_int_equal(once("", paths[MY_CERT], paths[MY_KEY]), ST_LOST); /* the system does not know it */
}

/* By one client, as a process has it for as long as it lives. */
static void files_may_change(void **state) {
    (void)state;
    struct fetch_blocking *client = client_with(paths[CA], paths[MY_CERT], paths[MY_KEY]);
    assert_int_equal(ask(client, "https", hx_port), ST_OK);
    write_certificate(paths[MY_CERT], &stranger);
    write_key(paths[MY_KEY], &stranger, NULL);
    assert_int_equal(ask(client, "https", hx_port), ST_LOST);
    write_certificate(paths[MY_CERT], &renewed);
    write_key(paths[MY_KEY], &renewed, NULL);
    assert_int_equal(ask(client, "https", hx_port), ST_OK);
    write_certificate(paths[CA], &other);
    assert_int_equal(ask(client, "https", hx_port), ST_LOST);
    write_certificate(paths[CA], &authority);
    assert_int_equal(ask(client, "https", hx_port), ST_OK);
    fetch_blocking_free(client);
}

static void without_tls_nothing_is_shown(void **state) {
    (void)state;
    struct http *guarded = hx;
    int port = hx_port;
    hx_start((struct http_options){.routes = routes});
    struct fetch_blocking *client = client_with("/nowhere", "/nowhere", "/nowhere");
    assert_int_equal(ask(client, "http", hx_port), ST_OK);
    assert_int_equal(ask(client, "http", port), ST_LOST);
    fetch_blocking_free(client);
    hx_stop();
    hx = guarded;
    hx_port = port;
}

static int set_up(void **state) {
    (void)state;
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 8; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%d.pem", dir, i);
    authority = certify("an authority", NULL, NULL);
    other = certify("another authority", NULL, NULL);
    server = certify("server", &authority, "serverAuth");
    mine = certify("client", &authority, "clientAuth");
    renewed = certify("client", &authority, "clientAuth");
    stranger = certify("client", &other, "clientAuth");
    write_certificate(paths[CERT], &server);
    write_key(paths[KEY], &server, NULL);
    write_certificate(paths[CA], &authority);
    write_certificate(paths[MY_CERT], &mine);
    write_key(paths[MY_KEY], &mine, NULL);
    write_certificate(paths[OTHER_CA], &other);
    write_certificate(paths[NOBODY_CERT], &stranger);
    write_key(paths[NOBODY_KEY], &stranger, NULL);
    struct why w;
    tls = tls_open(&(struct tls_files){paths[CERT], paths[KEY], paths[CA]}, &w);
    if (tls == NULL) fail_msg("%s", w.text);
    hx_start((struct http_options){.routes = routes, .tls = tls});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hx_stop();
    tls_free(tls);
    struct certified *all[] = {&authority, &other, &server, &mine, &renewed, &stranger};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        certified_free(all[i]);
    for (int i = 0; i < 8; i++)
        unlink(paths[i]);
    return rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_shows_itself_to_the_other),
        cmocka_unit_test(files_may_change),
        cmocka_unit_test(without_tls_nothing_is_shown),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
