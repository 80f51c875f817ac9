#include "people.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base64.h"
#include "mem.h"

enum { CLAIMS = 1024, REQUEST = 4096 };

static void die(const char *why) {
    fprintf(stderr, "the file of tokens: %s\n", why);
    exit(1);
}

static struct str map(const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) die("cannot be read");
    void *text = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED) die("cannot be mapped");
    return (struct str){text, (size_t)about.st_size};
}

/* The subject of a token's claims. */
static struct uuid user_of(struct str token) {
    char claims[CLAIMS];
    size_t n;
    struct uuid id;
    const char *from = memchr(token.p, '.', token.n);
    const char *to = from == NULL ? NULL : memchr(from + 1, '.', (size_t)(token.p + token.n - from - 1));
    if (to == NULL || !base64_decode((struct str){from + 1, (size_t)(to - from - 1)}, (uint8_t *)claims,
                                     sizeof claims - 1, &n))
        die("no token");
    claims[n] = '\0';
    const char *sub = strstr(claims, "\"sub\":\"");
    if (sub == NULL || !uuid_parse((struct str){sub + strlen("\"sub\":\""), UUID_TEXT}, &id))
        die("a token has no subject");
    return id;
}

struct person *people_read(const char *path, uint32_t *count) {
    struct str left = map(path);
    uint32_t room = 1024;
    struct person *all = mem_alloc(room * sizeof *all);
    *count = 0;
    for (const char *end; (end = memchr(left.p, '\n', left.n)) != NULL;) {
        struct str token = {left.p, (size_t)(end - left.p)};
        if (*count == room) all = mem_grow(all, (room *= 2) * sizeof *all);
        all[(*count)++] = (struct person){.id = user_of(token), .token = token};
        left.n -= token.n + 1;
        left.p = end + 1;
    }
    return all;
}

struct str people_request(const struct person *p, const char *method, const char *path, const char *key,
                          const char *body) {
    static char text[REQUEST];
    char with_key[128] = "", with_body[128] = "";
    if (key != NULL) snprintf(with_key, sizeof with_key, "Idempotency-Key: %s\r\n", key);
    if (body != NULL || strcmp(method, "POST") == 0)
        snprintf(with_body, sizeof with_body, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                 body == NULL ? 0 : strlen(body));
    int n =
        snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: onsale\r\nCookie: session=%.*s\r\n%s%s\r\n%s",
                 method, path, (int)p->token.n, p->token.p, with_key, with_body, body == NULL ? "" : body);
    if (n >= (int)sizeof text) die("a token is too long");
    return (struct str){text, (size_t)n};
}
