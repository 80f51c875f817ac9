#include "http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "h2o_compat.h"
#include "priv/http_limits.h"

/* Enough for a burst of clients while the loop is in one iteration; the kernel cuts it to net.core.somaxconn.
 */
enum { BACKLOG = 4096 };

static int listen_on(const struct addrinfo *a, bool shared) {
    int on = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int http_listen(const char *address, int port, bool shared, struct why *w) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found;
    char service[8];
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(address, service, &hints, &found) != 0) {
        why(w, ST_INVALID, "cannot listen on %s port %d: not an IP address", address, port);
        return -1;
    }
    int fd = listen_on(found, shared);
    if (fd < 0)
        why(w, ST_FAILED, "cannot listen on %s port %d: %m%s", address, port,
            errno == EADDRINUSE ? "; stop the other process or choose another port" : "");
    freeaddrinfo(found);
    return fd;
}

void http_configure(h2o_globalconf_t *config, size_t large_body) {
    h2o_compat_configure(config, large_body > 0 ? large_body : HTTP_MAX_BODY, HTTP_IDLE_MS);
}

int http_port_of(int listen_fd) {
    struct sockaddr_storage address;
    socklen_t n = sizeof address;
    if (getsockname(listen_fd, (struct sockaddr *)&address, &n) != 0) return 0;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): getsockname() has filled it in */
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}
