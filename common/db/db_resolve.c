#include "priv/db_resolve.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "buf.h"
#include "mem.h"

struct db_resolve {
    atomic_int owners;
    int event; /* an eventfd, readable when done */
    char *host;
    atomic_bool done;
    /* written before done */
    int error; /* of getaddrinfo */
    struct buf hosts, addresses;
};

static bool numeric(const char *host) {
    struct in6_addr any;
    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static const char *value_of(const PQconninfoOption *options, const char *key) {
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, key) == 0 && options->val != NULL) return options->val;
    return "";
}

char *db_resolve_needed(const char *url) {
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (options == NULL) return NULL;
    const char *host = value_of(options, "host");
    bool name =
        host[0] != '\0' && host[0] != '/' && host[0] != '@' && strchr(host, ',') == NULL && !numeric(host);
    char *needed = name && value_of(options, "hostaddr")[0] == '\0' ? mem_strdup(host) : NULL;
    PQconninfoFree(options);
    return needed;
}

static void add_to_list(struct buf *list, const char *text) {
    if (list->len > 0) list->data[list->len - 1] = ','; /* over the terminator */
    buf_add(list, text, strlen(text) + 1);
}

static void *look_up(void *arg) {
    struct db_resolve *l = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    l->error = getaddrinfo(l->host, NULL, &hints, &found);
    for (struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        char text[INET6_ADDRSTRLEN];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0) continue;
        add_to_list(&l->addresses, text);
        add_to_list(&l->hosts, l->host);
    }
    if (found != NULL) freeaddrinfo(found);
    atomic_store(&l->done, true);
    eventfd_write(l->event, 1);
    db_resolve_drop(l);
    return NULL;
}

struct db_resolve *db_resolve_start(const char *host, int *fd) {
    struct db_resolve *l = mem_alloc(sizeof *l);
    l->owners = 2;
    l->host = mem_strdup(host);
    l->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_t thread;
    if (l->event < 0 || pthread_create(&thread, NULL, look_up, l) != 0) {
        l->owners = 1; /* there is no thread */
        db_resolve_drop(l);
        return NULL;
    }
    pthread_detach(thread);
    *fd = l->event;
    return l;
}

bool db_resolve_result(struct db_resolve *l, const char **hosts, const char **addresses, struct why *w) {
    if (!atomic_load(&l->done) || l->addresses.len == 0) {
        why(w, ST_LOST, "cannot look up host %s: %s", l->host,
            l->error != 0 ? gai_strerror(l->error) : "no address");
        return false;
    }
    *hosts = (const char *)l->hosts.data;
    *addresses = (const char *)l->addresses.data;
    return true;
}

void db_resolve_drop(struct db_resolve *l) {
    if (atomic_fetch_sub(&l->owners, 1) > 1) return;
    if (l->event >= 0) close(l->event);
    buf_free(&l->hosts);
    buf_free(&l->addresses);
    free(l->host);
    free(l);
}
