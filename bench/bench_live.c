/* Many pages that follow one ticket, for bench/live.py: when each of them is told of each version.
 *
 *     bench_live PORT STREAMS PATH TICKET|AREA
 *
 * Opens STREAMS streams of PATH on 127.0.0.1 and says "open" when each has been told where it stands. Then
 * lines "VERSION UNIX_US" (of an area: how many are left) on stdin say when a version was asked for. Once
 * stdin has ended: "DUE TOLD p50 p95 p99 MOST" of the time from there to each stream's having it, in ms. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "mem.h"

enum { VERSIONS = 10000, PATIENCE_MS = 5000, CHUNK = 65536 };

struct stream {
    int fd;
    bool open;
    struct buf left; /* of an event that has not ended */
};

static struct stream *streams;
static int nstreams, nopen, epoll_fd;
static const char *ticket;
static int64_t asked[VERSIONS], *told; /* told: by version, then stream */
static int last_version;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void open_stream(struct stream *s, int port, const char *path) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[4096];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        write(s->fd, text, (size_t)n) != n)
        die("open a stream");
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &event) != 0) die("epoll");
}

static void note(const struct stream *s, int version, int64_t now) {
    if (version > 0 && version < VERSIONS)
        told[(size_t)version * (size_t)nstreams + (size_t)(s - streams)] = now;
}

/* What is left of our area, which falls: {"AREA":"312 left"}. */
static void take_places(const struct stream *s, const char *text, int64_t now) {
    const char *area = strstr(text, ticket);
    if (area != NULL) note(s, atoi(area + strlen(ticket) + strlen("\":\"")), now);
}

/* A card of our ticket: its version. */
static void take_event(struct stream *s, const char *text, int64_t now) {
    if (!s->open && strstr(text, "event: tick") != NULL) {
        s->open = true;
        nopen++;
    }
    if (strstr(text, "event: places") != NULL) take_places(s, text, now);
    if (strstr(text, "event: card") == NULL || strstr(text, ticket) == NULL) return;
    const char *version = strstr(text, "data-version=\"");
    int v = version == NULL ? 0 : atoi(version + strlen("data-version=\""));
    note(s, v, now);
}

static void take(struct stream *s) {
    static char chunk[CHUNK];
    int64_t now = clock_wall_us();
    ssize_t n = read(s->fd, chunk, sizeof chunk);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        fprintf(stderr, "a stream has ended\n");
        exit(1);
    }
    if (n < 0) return;
    buf_add(&s->left, chunk, (size_t)n);
    char *at = (char *)s->left.data, *end;
    size_t left = s->left.len;
    while ((end = memmem(at, left, "\n\n", 2)) != NULL) {
        *end = '\0';
        take_event(s, at, now);
        left -= (size_t)(end + 2 - at);
        at = end + 2;
    }
    memmove(s->left.data, at, left);
    s->left.len = left;
}

static void turn(int wait_ms) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll_fd, events, 256, wait_ms);
    for (int i = 0; i < n; i++)
        if (events[i].data.ptr != NULL) take(events[i].data.ptr);
}

/* false: that was the last line. */
static bool read_asked(void) {
    static struct buf lines;
    char text[4096];
    ssize_t n = read(STDIN_FILENO, text, sizeof text);
    if (n < 0) return errno == EAGAIN;
    buf_add(&lines, text, (size_t)n);
    for (char *end; lines.len > 0 && (end = memchr(lines.data, '\n', lines.len)) != NULL;) {
        long long version, us;
        if (sscanf((char *)lines.data, "%lld %lld", &version, &us) == 2 && version > 0 &&
            version < VERSIONS) {
            asked[version] = us;
            last_version = (int)version;
        }
        size_t used = (size_t)(end + 1 - (char *)lines.data);
        memmove(lines.data, end + 1, lines.len -= used);
    }
    return n > 0;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(void) {
    size_t due = 0, n = 0;
    int64_t *times = mem_alloc((size_t)(last_version + 1) * (size_t)nstreams * sizeof *times);
    for (int v = 1; v <= last_version; v++)
        for (int i = 0; asked[v] > 0 && i < nstreams; i++, due++) {
            int64_t at = told[(size_t)v * (size_t)nstreams + (size_t)i];
            if (at > 0) times[n++] = at - asked[v];
        }
    qsort(times, n, sizeof *times, compare);
    if (n == 0) exit(1);
    printf("%zu %zu %.1f %.1f %.1f %.1f\n", due, n, (double)times[n / 2] / 1000,
           (double)times[n * 95 / 100] / 1000, (double)times[n * 99 / 100] / 1000,
           (double)times[n - 1] / 1000);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int port = atoi(argv[1]);
    nstreams = atoi(argv[2]);
    ticket = argv[4];
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    streams = mem_alloc((size_t)nstreams * sizeof *streams);
    told = mem_alloc((size_t)VERSIONS * (size_t)nstreams * sizeof *told); /* untouched pages cost nothing */
    epoll_fd = epoll_create1(0);
    for (int i = 0; i < nstreams; i++) {
        open_stream(&streams[i], port, argv[3]);
        turn(0);
    }
    while (nopen < nstreams)
        turn(100);
    puts("open");
    fflush(stdout);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    while (read_asked())
        turn(5);
    for (int64_t until = clock_mono_us() + PATIENCE_MS * INT64_C(1000); clock_mono_us() < until;)
        turn(50);
    report();
    return 0;
}
