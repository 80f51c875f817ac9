#include "live_clients.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { BUCKETS = 4096 };

struct entry {
    struct entry *next;
    struct uuid key;
    int streams;
};

struct live_clients {
    int of_address, of_session;
    pthread_mutex_t lock; /* of what follows */
    int count;
    struct entry *buckets[BUCKETS];
};

struct live_clients *live_clients_new(int of_address, int of_session) {
    struct live_clients *clients = mem_alloc(sizeof *clients);
    clients->of_address = of_address;
    clients->of_session = of_session;
    pthread_mutex_init(&clients->lock, NULL);
    return clients;
}

void live_clients_free(struct live_clients *clients) {
    if (clients == NULL) return;
    for (int i = 0; i < BUCKETS; i++)
        for (struct entry *e = clients->buckets[i], *next; e != NULL; e = next) {
            next = e->next;
            free(e);
        }
    pthread_mutex_destroy(&clients->lock);
    free(clients);
}

/* An address's key begins with zeros, as no session's id does, and ends with what tables are hashed by. */
struct live_client live_client_of(const struct address *address, const struct uuid *session) {
    struct live_client client = {0};
    if (address_is_v4(address))
        memcpy(client.address.b + 8, address->bytes + 12, 4);
    else
        memcpy(client.address.b + 8, address->bytes, 8);
    if (session != NULL) client.session = *session;
    return client;
}

static bool is_nobody(const struct uuid *key) {
    static const struct uuid nobody;
    return uuid_eq(key, &nobody);
}

static struct entry **find(struct live_clients *clients, const struct uuid *key) {
    struct entry **at = &clients->buckets[uuid_hash(key) % BUCKETS];
    while (*at != NULL && !uuid_eq(&(*at)->key, key))
        at = &(*at)->next;
    return at;
}

static bool is_full(struct live_clients *clients, const struct uuid *key, int most) {
    if (most == 0 || is_nobody(key)) return false;
    const struct entry *e = *find(clients, key);
    return e != NULL && e->streams >= most;
}

static void add(struct live_clients *clients, const struct uuid *key) {
    if (is_nobody(key)) return;
    struct entry **at = find(clients, key);
    if (*at == NULL) {
        *at = mem_alloc(sizeof **at);
        (*at)->key = *key;
        clients->count++;
    }
    (*at)->streams++;
}

static void take_away(struct live_clients *clients, const struct uuid *key) {
    if (is_nobody(key)) return;
    struct entry **at = find(clients, key), *e = *at;
    if (e == NULL || --e->streams > 0) return;
    *at = e->next;
    free(e);
    clients->count--;
}

enum live_admission live_clients_enter(struct live_clients *clients, const struct live_client *client) {
    pthread_mutex_lock(&clients->lock);
    enum live_admission said = is_full(clients, &client->session, clients->of_session) ? LIVE_MANY_OF_SESSION
                               : is_full(clients, &client->address, clients->of_address)
                                   ? LIVE_MANY_OF_ADDRESS
                                   : LIVE_ADMITTED;
    if (said == LIVE_ADMITTED) {
        add(clients, &client->address);
        add(clients, &client->session);
    }
    pthread_mutex_unlock(&clients->lock);
    return said;
}

void live_clients_leave(struct live_clients *clients, const struct live_client *client) {
    pthread_mutex_lock(&clients->lock);
    take_away(clients, &client->address);
    take_away(clients, &client->session);
    pthread_mutex_unlock(&clients->lock);
}

int live_clients_count(struct live_clients *clients) {
    pthread_mutex_lock(&clients->lock);
    int count = clients->count;
    pthread_mutex_unlock(&clients->lock);
    return count;
}
