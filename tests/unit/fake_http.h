/* fake_http: a server on a free port of 127.0.0.1 that gives the answers it was told, in order, one a
 * connection, and remembers what it was asked. For the answers that a real one gives only when it is ill. */
#pragma once

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAKE_ANSWERS = 512, FAKE_REQUEST = 65536 };

/* An answer is sent as it is, then the connection is closed. FAKE_HANG: it is kept open instead, until the
 * end. */
#define FAKE_HANG "(hang)"

struct fake_http {
    int listener, port;
    pthread_t thread;
    pthread_mutex_t lock;
    const char *answers[FAKE_ANSWERS];
    char *kept[FAKE_ANSWERS]; /* copies of all answers ever told: one may still be on its way */
    int nkept;
    int told, given;         /* answers; the last is given again when there are no more */
    char last[FAKE_REQUEST]; /* the last request, whole */
    int hanging[8], nhanging;
};

/* Reads a request: its head, and as much body as that says. */
static inline void fake_read(int fd, char *out) {
    size_t n = 0, want = FAKE_REQUEST - 1;
    while (n < want) {
        ssize_t got = read(fd, out + n, want - n);
        if (got <= 0) break;
        n += (size_t)got;
        out[n] = '\0';
        const char *end = strstr(out, "\r\n\r\n"), *length = strstr(out, "Content-Length: ");
        if (end == NULL) continue;
        size_t whole = (size_t)(end + 4 - out) + (length == NULL ? 0 : (size_t)atol(length + 16));
        if (n >= whole) break;
    }
    out[n] = '\0';
}

static inline void fake_write(int fd, const char *answer) {
    for (size_t n = strlen(answer), sent = 0; sent < n;) {
        ssize_t wrote = send(fd, answer + sent, n - sent, MSG_NOSIGNAL);
        if (wrote <= 0) return;
        sent += (size_t)wrote;
    }
}

static inline void *fake_run(void *arg) {
    struct fake_http *f = arg;
    static _Thread_local char request[FAKE_REQUEST];
    for (int fd; (fd = accept(f->listener, NULL, NULL)) >= 0;) {
        fake_read(fd, request);
        pthread_mutex_lock(&f->lock);
        memcpy(f->last, request, sizeof request);
        const char *answer = f->answers[f->given < f->told ? f->given : f->told - 1];
        f->given++;
        bool hang = strcmp(answer, FAKE_HANG) == 0;
        if (hang) f->hanging[f->nhanging++] = fd;
        pthread_mutex_unlock(&f->lock);
        if (hang) continue;
        fake_write(fd, answer);
        close(fd);
    }
    return NULL;
}

static inline struct fake_http *fake_start(void) {
    struct fake_http *f = calloc(1, sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    if (bind(f->listener, (struct sockaddr *)&at, size) != 0 || listen(f->listener, 64) != 0 ||
        getsockname(f->listener, (struct sockaddr *)&at, &size) != 0)
        abort();
    f->port = ntohs(at.sin_port);
    f->answers[f->told++] = "";
    pthread_create(&f->thread, NULL, fake_run, f);
    return f;
}

/* The answers from now on, ended by a NULL; none of the earlier. */
static inline void fake_tell(struct fake_http *f, const char *const *answers) {
    pthread_mutex_lock(&f->lock);
    f->told = f->given = 0;
    while (answers[f->told] != NULL) {
        if (f->nkept == FAKE_ANSWERS) abort();
        f->answers[f->told] = f->kept[f->nkept++] = strdup(answers[f->told]);
        f->told++;
    }
    pthread_mutex_unlock(&f->lock);
}
#define FAKE_TELL(f, ...) fake_tell((f), (const char *const[]){__VA_ARGS__, NULL})

static inline int fake_asked(struct fake_http *f) { /* requests since fake_tell */
    pthread_mutex_lock(&f->lock);
    int asked = f->given;
    pthread_mutex_unlock(&f->lock);
    return asked;
}

/* Whether the last request holds the text. */
static inline bool fake_got(struct fake_http *f, const char *text) {
    pthread_mutex_lock(&f->lock);
    bool got = strstr(f->last, text) != NULL;
    pthread_mutex_unlock(&f->lock);
    return got;
}

static inline void fake_stop(struct fake_http *f) {
    shutdown(f->listener, SHUT_RDWR); /* ends accept() */
    pthread_join(f->thread, NULL);
    close(f->listener);
    for (int i = 0; i < f->nhanging; i++)
        close(f->hanging[i]);
    for (int i = 0; i < f->nkept; i++)
        free(f->kept[i]);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
