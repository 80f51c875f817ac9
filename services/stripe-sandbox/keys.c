#include "keys.h"

#include <pthread.h>
#include <stdlib.h>

#include "mem.h"

enum { LISTS = 4096 }; /* thousands are under way under load: a list has one or two */

struct keys {
    struct key_list {
        pthread_mutex_t lock;
        struct key_hold *first;
    } lists[LISTS];
};

struct keys *keys_new(void) {
    struct keys *keys = mem_alloc(sizeof *keys);
    for (int i = 0; i < LISTS; i++)
        pthread_mutex_init(&keys->lists[i].lock, NULL);
    return keys;
}

void keys_free(struct keys *keys) {
    for (int i = 0; i < LISTS; i++)
        pthread_mutex_destroy(&keys->lists[i].lock);
    free(keys);
}

/* FNV-1a */
static struct key_list *list_of(struct keys *keys, struct str key) {
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < key.n; i++)
        hash = (hash ^ (unsigned char)key.p[i]) * 16777619;
    return &keys->lists[hash % LISTS];
}

bool keys_take(struct keys *keys, struct key_hold *hold, struct str key) {
    struct key_list *list = list_of(keys, key);
    pthread_mutex_lock(&list->lock);
    const struct key_hold *h = list->first;
    while (h != NULL && !str_eq(h->key, key))
        h = h->next;
    if (h == NULL) {
        *hold = (struct key_hold){key, list->first, true};
        list->first = hold;
    }
    pthread_mutex_unlock(&list->lock);
    return h == NULL;
}

void keys_give(struct keys *keys, struct key_hold *hold) {
    if (!hold->held) return;
    struct key_list *list = list_of(keys, hold->key);
    pthread_mutex_lock(&list->lock);
    struct key_hold **at = &list->first;
    while (*at != hold)
        at = &(*at)->next;
    *at = hold->next;
    pthread_mutex_unlock(&list->lock);
    hold->held = false;
}
