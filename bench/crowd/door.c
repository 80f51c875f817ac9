#include "door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "mem.h"

enum { CHUNK = 32768, EVENTS = 256, AWAY_MS = 30000, PAUSE_MS = 20 };

struct connection {
    int fd;
    void *who; /* NULL: free */
    struct buf in;
    struct connection *next_free;
};

struct door {
    int port, epoll_fd;
    void (*answered)(void *who, const struct door_answer *);
    struct connection *all, *free;
};

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void connect_again(struct door *d, struct connection *c) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)d->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int64_t until_us = clock_mono_us() + AWAY_MS * INT64_C(1000);
    while ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0 &&
           connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        if (errno != ECONNREFUSED || clock_mono_us() > until_us) die("connect");
        close(c->fd);
        clock_wait(-1, clock_mono_us() + PAUSE_MS * INT64_C(1000));
    }
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll");
}

struct door *door_open(int port, int connections, void (*answered)(void *who, const struct door_answer *)) {
    struct door *d = mem_alloc(sizeof *d);
    *d = (struct door){.port = port, .epoll_fd = epoll_create1(0), .answered = answered};
    d->all = mem_alloc((size_t)connections * sizeof *d->all);
    for (int i = 0; i < connections; i++) {
        connect_again(d, &d->all[i]);
        d->all[i].next_free = d->free;
        d->free = &d->all[i];
    }
    return d;
}

bool door_is_free(const struct door *d) {
    return d->free != NULL;
}

static void end(struct door *d, struct connection *c, const struct door_answer *answer) {
    void *who = c->who;
    if (who != NULL) d->answered(who, answer);
    c->who = NULL;
    c->in.len = 0;
    if (who == NULL) return; /* it is among the free ones */
    c->next_free = d->free;
    d->free = c;
}

static void lose(struct door *d, struct connection *c) {
    close(c->fd);
    connect_again(d, c);
    end(d, c, &(struct door_answer){0});
}

void door_ask(struct door *d, struct str request, void *who) {
    struct connection *c = d->free;
    d->free = c->next_free;
    c->who = who;
    if (send(c->fd, request.p, request.n, MSG_NOSIGNAL) != (ssize_t)request.n) lose(d, c);
}

/* Of the answer that has begun: its length with its head, and its status; 0: more has to come. */
static size_t whole(const struct connection *c, struct door_answer *answer, bool *closes) {
    const char *text = (const char *)c->in.data;
    const char *head_end = memmem(text, c->in.len, "\r\n\r\n", 4);
    if (head_end == NULL) return 0;
    size_t head = (size_t)(head_end - text) + 4, body = 0;
    char lines[4096];
    size_t n = head < sizeof lines ? head : sizeof lines - 1;
    memcpy(lines, text, n);
    lines[n] = '\0';
    answer->status = n > 12 ? atoi(lines + 9) : 0;
    const char *length = strcasestr(lines, "\r\ncontent-length:");
    if (length != NULL) body = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    *closes = strcasestr(lines, "\r\nconnection: close") != NULL;
    if (c->in.len < head + body) return 0;
    answer->body = (struct str){text + head, body};
    return head + body;
}

static void take(struct door *d, struct connection *c) {
    static char chunk[CHUNK];
    struct door_answer answer = {0};
    bool closes = false;
    ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return lose(d, c);
    buf_add(&c->in, chunk, (size_t)n);
    if (whole(c, &answer, &closes) == 0) return;
    if (closes) {
        close(c->fd);
        connect_again(d, c);
    }
    end(d, c, &answer);
}

void door_turn(struct door *d, int wait_ms) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(d->epoll_fd, events, EVENTS, wait_ms);
    for (int i = 0; i < n; i++)
        take(d, events[i].data.ptr);
}
