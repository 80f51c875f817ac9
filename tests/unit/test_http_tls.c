/* http by TLS: whose clients are let in, certificates that are renewed, handshakes that are not finished. */
#include "http_fixture.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "priv/tls_metrics.h"
#include "tls.h"

enum { LARGE = 900 * 1000 };

static struct certified authority, other, server, renewed, good, stranger, of_servers;
static char dir[] = "/tmp/onsale-tls-XXXXXX", cert_path[64], key_path[64], ca_path[64];
static struct tls *tls;
static _Atomic int begun, left;

static void say_hello(struct req *rq) {
    json_text(req_json(rq), STR("hello"));
    req_reply(rq, 200);
}

static void say_size(struct req *rq) {
    json_int(req_json(rq), (int64_t)req_raw_body(rq).n);
    req_reply(rq, 200);
}

static void say_much(struct req *rq) {
    char *text = req_alloc(rq, LARGE);
    memset(text, 'x', LARGE);
    req_reply_raw(rq, 200, "text/plain", (struct str){text, LARGE});
}

static void note_end(void *arg) {
    (void)arg;
    left++;
}

static void go_on(struct req *rq) {
    req_at_end(rq, note_end, NULL);
    if (!req_stream(rq, "text/plain", 1000)) return;
    buf_printf(req_stream_out(rq), "first");
    req_stream_flush(rq);
    begun++;
}

static const struct route routes[] = {{"GET", "/hello", say_hello, 0},
                                      {"POST", "/size", say_size, 0},
                                      {"GET", "/much", say_much, 0},
                                      {"GET", "/stream", go_on, 0},
                                      {0}};

/* --- a client --- */

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    struct hx_conn *conn;
};

static SSL_CTX *context_of(const struct certified *mine) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), authority.cert);
    if (mine != NULL) {
        assert_int_equal(SSL_CTX_use_certificate(ctx, mine->cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, mine->key), 1);
    }
    return ctx;
}

static struct client client_of(SSL_CTX *ctx) {
    struct client c = {ctx, SSL_new(ctx), hx_connect()};
    SSL_set_fd(c.ssl, c.conn->fd);
    return c;
}

static void client_close(struct client *c) {
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    hx_close(c->conn);
    ERR_clear_error();
}

static void say(struct client *c, const char *text) {
    assert_int_equal(SSL_write(c->ssl, text, (int)strlen(text)), strlen(text));
}

/* Reads until these words are there. false: the end came before. */
static bool hear(struct client *c, const char *words) {
    struct hx_conn *in = c->conn;
    while (memmem(in->buf, in->len, words, strlen(words)) == NULL) {
        int n = SSL_read(c->ssl, in->buf + in->len, (int)(sizeof in->buf - in->len));
        if (n <= 0) return false;
        in->len += (size_t)n;
    }
    return true;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* Whether a request of such a client is answered. By TLS 1.3 it learns only then that it is refused. */
static bool served(SSL_CTX *ctx) {
    struct client c = client_of(ctx);
    bool answered = SSL_connect(c.ssl) == 1 && SSL_write(c.ssl, GET("/hello"), strlen(GET("/hello"))) > 0 &&
                    hear(&c, "\"hello\"");
    client_close(&c);
    return answered;
}

static struct client connected(void) {
    struct client c = client_of(context_of(&good));
    assert_int_equal(SSL_connect(c.ssl), 1);
    return c;
}

/* --- who is let in --- */

static void a_client_of_the_authority_is_served(void **state) {
    (void)state;
    SSL_CTX *old = context_of(&good);
    SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
    assert_true(served(context_of(&good)));
    assert_true(served(old));
    SSL_CTX *older = context_of(&good);
    SSL_CTX_set_security_level(older, 0);
    SSL_CTX_set_min_proto_version(older, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(older, TLS1_1_VERSION);
    assert_false(served(older));
}

static void others_are_refused(void **state) {
    (void)state;
    int64_t refused = metric_value(M_TLS_REFUSED);
    assert_false(served(context_of(NULL)));
    assert_false(served(context_of(&stranger)));
    assert_false(served(context_of(&of_servers)));
    struct hx_conn *plain = hx_connect();
    hx_send(plain, GET("/hello"));
    while (hx_more(plain) > 0)
        continue;
    assert_null(memmem(plain->buf, plain->len, "HTTP", 4));
    hx_close(plain);
    hx_until(metric_value(M_TLS_REFUSED) == refused + 4);
    assert_true(served(context_of(&good)));
}

static void only_http_1_is_agreed_on(void **state) {
    (void)state;
    SSL_CTX *both = context_of(&good), *one = context_of(&good);
    SSL_CTX_set_alpn_protos(both, (const unsigned char *)"\2h2\10http/1.1", 12);
    SSL_CTX_set_alpn_protos(one, (const unsigned char *)"\2h2", 3);
    struct client c = client_of(both);
    assert_int_equal(SSL_connect(c.ssl), 1);
    const unsigned char *chosen;
    unsigned n;
    SSL_get0_alpn_selected(c.ssl, &chosen, &n);
    assert_int_equal(n, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    client_close(&c);
    assert_false(served(one));
}

/* --- the same as without --- */

static void requests_follow_one_another(void **state) {
    (void)state;
    struct client c = connected();
    for (int i = 0; i < 20; i++)
        say(&c, GET("/hello"));
    say(&c, "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" GET("/much"));
    assert_true(hear(&c, "\r\n\r\n3"));
    c.conn->len = 0;
    while (c.conn->len < LARGE - 20000) { /* some of it came with the others */
        int n = SSL_read(c.ssl, c.conn->buf + c.conn->len, (int)(sizeof c.conn->buf - c.conn->len));
        assert_true(n > 0);
        c.conn->len += (size_t)n;
    }
    client_close(&c);
}

/* With its body still arriving. The end is said, so the client knows that nothing was cut off. */
static void a_refusal_arrives(void **state) {
    (void)state;
    struct client c = connected();
    static char much[64 * 1024];
    memset(much, 'x', sizeof much);
    say(&c, "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
    for (int i = 0; i < 20; i++)
        SSL_write(c.ssl, much, sizeof much);
    assert_true(hear(&c, "larger than 64 KiB"));
    int n;
    while ((n = SSL_read(c.ssl, much, sizeof much)) > 0)
        continue;
    assert_int_equal(SSL_get_error(c.ssl, n), SSL_ERROR_ZERO_RETURN);
    client_close(&c);
}

/* It says so by TLS, too: bytes that nobody reads are before the end of the connection. */
static void a_client_that_leaves_a_stream_is_noticed(void **state) {
    (void)state;
    begun = left = 0;
    struct client c = connected();
    say(&c, GET("/stream"));
    assert_true(hear(&c, "first"));
    assert_int_equal(left, 0);
    SSL_shutdown(c.ssl);
    shutdown(c.conn->fd, SHUT_WR);
    hx_until(left == 1);
    client_close(&c);
}

/* --- handshakes that are not finished --- */

/* As far as to its first bytes, and not at all. */
static void who_does_not_finish_is_dropped(void **state) {
    (void)state;
    struct hx_conn *silent = hx_connect(), *slow = hx_connect();
    int64_t begun_us = clock_mono_us();
    hx_write(slow, "\x16\x03\x01\x02\x00\x01", 6);
    assert_true(hx_closed(silent));
    assert_true(hx_closed(slow));
    int64_t took_us = clock_mono_us() - begun_us;
    assert_true(took_us > 9000000 && took_us < 15000000);
    hx_close(silent);
    hx_close(slow);
}

static void restart(void);

static void the_end_does_not_wait_for_him(void **state) {
    (void)state;
    struct hx_conn *silent = hx_connect(), *slow = hx_connect();
    hx_write(slow, "\x16\x03\x01\x02\x00\x01", 6);
    struct client idle = connected();
    say(&idle, GET("/hello"));
    assert_true(hear(&idle, "\"hello\""));
    int64_t begun_us = clock_mono_us();
    hx_stop();
    assert_true(clock_mono_us() - begun_us < 3000000);
    assert_true(hx_closed(silent));
    assert_true(hx_closed(slow));
    hx_close(silent);
    hx_close(slow);
    client_close(&idle);
    restart();
}

/* --- renewal --- */

static bool shows(struct client *c, const struct certified *wanted) {
    X509 *shown = SSL_get1_peer_certificate(c->ssl);
    bool same = X509_cmp(shown, wanted->cert) == 0;
    X509_free(shown);
    return same;
}

static bool new_client_sees(const struct certified *wanted) {
    struct client c = connected();
    bool same = shows(&c, wanted);
    say(&c, GET("/hello"));
    assert_true(hear(&c, "\"hello\""));
    client_close(&c);
    return same;
}

static void a_renewed_certificate_is_shown(void **state) {
    (void)state;
    struct client before = connected();
    assert_true(shows(&before, &server));
    tls_renew(tls);
    assert_true(new_client_sees(&server));
    write_certificate(cert_path, &renewed); /* its key is not there yet */
    tls_renew(tls);
    assert_true(new_client_sees(&server));
    write_key(key_path, &renewed, NULL);
    tls_renew(tls);
    assert_true(new_client_sees(&renewed));
    unlink(ca_path);
    tls_renew(tls);
    assert_true(new_client_sees(&renewed));
    write_certificate(ca_path, &other);
    tls_renew(tls);
    assert_true(served(context_of(&stranger)));
    assert_false(served(context_of(&good)));
    say(&before, GET("/hello"));
    assert_true(hear(&before, "\"hello\""));
    client_close(&before);
    write_certificate(cert_path, &server);
    write_key(key_path, &server, NULL);
    write_certificate(ca_path, &authority);
    tls_renew(tls);
    assert_true(new_client_sees(&server));
}

/* --- files that cannot be used --- */

static void refuses(const struct tls_files *files, const char *path, const char *words) {
    struct why w = {0};
    assert_null(tls_open(files, &w));
    if (strstr(w.text, words) == NULL || strstr(w.text, path) == NULL)
        fail_msg("%s: not about %s, %s", w.text, path, words);
}

static void what_is_wrong_is_said(void **state) {
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/more", dir);
    struct why w;
    refuses(&(struct tls_files){.cert = cert_path, .client_ca = ca_path}, "", "both");
    refuses(&(struct tls_files){.cert = path, .key = key_path}, path, "No such file");
    write_key(path, &renewed, NULL);
    refuses(&(struct tls_files){.cert = path, .key = key_path}, path, "not a certificate");
    refuses(&(struct tls_files){.cert = cert_path, .key = path}, path, "not the key of");
    refuses(&(struct tls_files){.cert = cert_path, .key = key_path, .client_ca = path}, path,
            "no certificate");
    assert_int_equal(
        tls_check_client(&(struct tls_files){.cert = cert_path, .key = path, .client_ca = ca_path}, &w),
        ST_INVALID);
    assert_int_equal(tls_check_client(&(struct tls_files){.cert = cert_path}, &w), ST_INVALID);
    assert_int_equal(tls_check_client(&(struct tls_files){.client_ca = ca_path}, &w), ST_OK);
    assert_int_equal(tls_check_client(&(struct tls_files){.cert = ""}, &w), ST_OK);
    write_key(path, &server, "a phrase");
    refuses(&(struct tls_files){.cert = cert_path, .key = path}, path, "without a pass phrase");
    refuses(&(struct tls_files){.cert = cert_path, .key = "/dev/zero"}, "/dev/zero", "longer than");
    unlink(path);
}

/* --- the life of the tests --- */

static void restart(void) {
    hx_start((struct http_options){.routes = routes, .threads = 2, .tls = tls});
}

static int set_up(void **state) {
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(cert_path, sizeof cert_path, "%s/tls.crt", dir);
    snprintf(key_path, sizeof key_path, "%s/tls.key", dir);
    snprintf(ca_path, sizeof ca_path, "%s/ca.crt", dir);
    authority = certify("an authority", NULL, NULL);
    other = certify("another authority", NULL, NULL);
    server = certify("server", &authority, "serverAuth");
    renewed = certify("server", &authority, "serverAuth");
    good = certify("edge", &authority, "clientAuth");
    of_servers = certify("server", &authority, "serverAuth");
    stranger = certify("edge", &other, "clientAuth");
    write_certificate(cert_path, &server);
    write_key(key_path, &server, NULL);
    write_certificate(ca_path, &authority);
    struct why w;
    tls = tls_open(&(struct tls_files){cert_path, key_path, ca_path}, &w);
    if (tls == NULL) fail_msg("%s", w.text);
    restart();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hx_stop();
    tls_free(tls);
    struct certified *all[] = {&authority, &other, &server, &renewed, &good, &stranger, &of_servers};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        certified_free(all[i]);
    unlink(cert_path);
    unlink(key_path);
    unlink(ca_path);
    return rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_of_the_authority_is_served),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(only_http_1_is_agreed_on),
        cmocka_unit_test(requests_follow_one_another),
        cmocka_unit_test(a_refusal_arrives),
        cmocka_unit_test(a_client_that_leaves_a_stream_is_noticed),
        cmocka_unit_test(who_does_not_finish_is_dropped),
        cmocka_unit_test(the_end_does_not_wait_for_him),
        cmocka_unit_test(a_renewed_certificate_is_shown),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
