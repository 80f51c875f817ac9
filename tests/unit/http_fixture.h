/* What the tests of http share: a server on a free port in this process, and raw connections to it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "log.h"

enum { HX_PATIENCE_S = 30 }; /* what takes longer has failed */

static struct http *hx;
static int hx_port;

static inline void hx_start(struct http_options options) {
    struct why w = {0};
    signal(SIGPIPE, SIG_IGN);
    log_setup("test", LOG_ERROR);
    options.service = "test";
    options.address = "127.0.0.1";
    if (options.threads == 0) options.threads = 1;
    if (options.trusted_proxies == NULL) options.trusted_proxies = "";
    hx = http_start(&options, &w);
    if (hx == NULL) fail_msg("%s", w.text);
    hx_port = http_port(hx);
}

static inline void hx_stop(void) {
    http_drain(hx, 5000);
    http_free(hx);
    hx = NULL;
}

/* --- a connection --- */

struct hx_conn {
    int fd;
    size_t len;
    char buf[1 << 20];
};

struct hx_answer {
    int status;
    char head[16384];
    size_t n;
    char body[1 << 20];
};

static inline struct hx_conn *hx_connect(void) {
    struct hx_conn *c = calloc(1, sizeof *c);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {HX_PATIENCE_S, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)hx_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_return_code(connect(c->fd, (struct sockaddr *)&to, sizeof to), errno);
    return c;
}

static inline void hx_close(struct hx_conn *c) {
    close(c->fd);
    free(c);
}

/* false: the server has closed before all was sent; what it answered may tell why. */
static inline bool hx_write(struct hx_conn *c, const void *bytes, size_t n) {
    for (const char *p = bytes; n > 0;) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

static inline bool hx_send(struct hx_conn *c, const char *text) {
    return hx_write(c, text, strlen(text));
}

/* A GET whose answer is received later. */
static inline struct hx_conn *hx_begin(const char *path) {
    struct hx_conn *c = hx_connect();
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    hx_send(c, text);
    return c;
}

/* More bytes; 0: the end. */
static inline ssize_t hx_more(struct hx_conn *c) {
    if (c->len == sizeof c->buf) fail_msg("a longer answer than this test knows of");
    ssize_t n = recv(c->fd, c->buf + c->len, sizeof c->buf - c->len, 0);
    if (n > 0) c->len += (size_t)n;
    return n;
}

static inline bool hx_closed(struct hx_conn *c) {
    if (c->len > 0) fail_msg("unread bytes: %.*s", (int)c->len, c->buf);
    return hx_more(c) == 0;
}

static inline const char *hx_header(const struct hx_answer *a, const char *name) {
    static char value[1024];
    size_t n = strlen(name);
    for (const char *line = strchr(a->head, '\n'); line != NULL; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, n) != 0 || line[n] != ':') continue;
        snprintf(value, sizeof value, "%.*s", (int)strcspn(line + n + 2, "\r\n"), line + n + 2);
        return value;
    }
    return NULL;
}

/* Reads one answer; no_body: to a HEAD request. */
static inline struct hx_answer *hx_receive(struct hx_conn *c, bool no_body) {
    static struct hx_answer a;
    char *end;
    while ((end = memmem(c->buf, c->len, "\r\n\r\n", 4)) == NULL)
        if (hx_more(c) <= 0) fail_msg("no answer but the end after: %.*s", (int)c->len, c->buf);
    size_t head = (size_t)(end - c->buf) + 4;
    a = (struct hx_answer){0};
    memcpy(a.head, c->buf, head);
    assert_int_equal(sscanf(a.head, "HTTP/1.1 %d", &a.status), 1);
    const char *length = hx_header(&a, "content-length");
    a.n = length == NULL || no_body ? 0 : strtoul(length, NULL, 10);
    while (c->len < head + a.n)
        if (hx_more(c) <= 0) fail_msg("the end within a body");
    memcpy(a.body, c->buf + head, a.n);
    c->len -= head + a.n;
    memmove(c->buf, c->buf + head + a.n, c->len);
    return &a;
}

/* One request on a connection of its own. */
static inline struct hx_answer *hx_exchange(const char *text) {
    struct hx_conn *c = hx_connect();
    hx_send(c, text);
    struct hx_answer *a = hx_receive(c, strncmp(text, "HEAD ", 5) == 0);
    hx_close(c);
    return a;
}

/* "METHOD PATH" with headers (each line ended) and a body. */
static inline struct hx_answer *hx_request(const char *line, const char *headers, const char *body) {
    char *text;
    if (body == NULL)
        assert_true(asprintf(&text, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, headers) > 0);
    else
        assert_true(asprintf(&text, "%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s", line,
                             headers, strlen(body), body) > 0);
    struct hx_answer *a = hx_exchange(text);
    free(text);
    return a;
}

static inline struct hx_answer *hx_get(const char *path) {
    char line[512];
    snprintf(line, sizeof line, "GET %s", path);
    return hx_request(line, "", NULL);
}

#define hx_expect(answer, wanted_status, wanted_body)                                                        \
    do {                                                                                                     \
        struct hx_answer *hx_a = (answer);                                                                   \
        assert_string_equal(hx_a->body, wanted_body);                                                        \
        assert_int_equal(hx_a->status, wanted_status);                                                       \
    } while (0)

/* An error in the contract's shape, with these words in it. */
#define hx_expect_error(answer, wanted_status, words)                                                        \
    do {                                                                                                     \
        struct hx_answer *hx_a = (answer);                                                                   \
        assert_int_equal(hx_a->status, wanted_status);                                                       \
        assert_string_equal(hx_header(hx_a, "content-type"), "application/json");                            \
        json_t *hx_j = json_loadb(hx_a->body, hx_a->n, 0, NULL);                                             \
        json_t *hx_m = json_object_get(json_array_get(json_object_get(hx_j, "errors"), 0), "message");       \
        if (!json_is_string(hx_m)) fail_msg("not our shape: %s", hx_a->body);                                \
        if (strstr(json_string_value(hx_m), words) == NULL) fail_msg("%s: not about %s", hx_a->body, words); \
        json_decref(hx_j);                                                                                   \
    } while (0)

/* Waits for a condition that other threads bring about. */
#define hx_until(condition)                                                                                  \
    do {                                                                                                     \
        int64_t hx_limit = clock_mono_us() + HX_PATIENCE_S * INT64_C(1000000);                               \
        while (!(condition)) {                                                                               \
            if (clock_mono_us() > hx_limit) fail_msg("waited in vain for %s", #condition);                   \
            poll(NULL, 0, 1);                                                                                \
        }                                                                                                    \
    } while (0)
