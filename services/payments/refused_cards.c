#include "refused_cards.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "mem.h"

struct refused_cards {
    _Atomic int count;
    pthread_mutex_t lock; /* guards the list; held for no longer than a look at it */
    char **list;          /* in the order of strcmp */
};

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_list(char **list, int count) {
    for (int i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

void refused_cards_set(struct refused_cards *cards, const struct rows *rows) {
    char **list = mem_alloc((size_t)(rows->count + 1) * sizeof *list);
    for (int i = 0; i < rows->count; i++) {
        struct str fingerprint = row_text(rows, i, 0);
        list[i] = mem_alloc(fingerprint.n + 1);
        memcpy(list[i], fingerprint.p, fingerprint.n);
    }
    qsort(list, (size_t)rows->count, sizeof *list, by_text);
    pthread_mutex_lock(&cards->lock);
    char **old = cards->list;
    int old_count = cards->count;
    cards->list = list;
    cards->count = rows->count;
    pthread_mutex_unlock(&cards->lock);
    free_list(old, old_count);
}

bool refused_cards_any(const struct refused_cards *cards) {
    return cards->count > 0;
}

bool refused_cards_have(struct refused_cards *cards, struct str fingerprint) {
    char text[256];
    if (fingerprint.n >= sizeof text) return false;
    memcpy(text, fingerprint.p, fingerprint.n);
    text[fingerprint.n] = '\0';
    const char *key = text;
    pthread_mutex_lock(&cards->lock);
    bool found = cards->count > 0 &&
                 bsearch(&key, cards->list, (size_t)cards->count, sizeof *cards->list, by_text) != NULL;
    pthread_mutex_unlock(&cards->lock);
    return found;
}

struct refused_cards *refused_cards_new(void) {
    struct refused_cards *cards = mem_alloc(sizeof *cards);
    pthread_mutex_init(&cards->lock, NULL);
    return cards;
}

void refused_cards_free(struct refused_cards *cards) {
    free_list(cards->list, cards->count);
    pthread_mutex_destroy(&cards->lock);
    free(cards);
}
