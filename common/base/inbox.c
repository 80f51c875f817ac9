#include "inbox.h"

#include <assert.h>
#include <stddef.h>

void inbox_init(struct inbox *box, void (*wake)(void *arg), void *arg) {
    *box = (struct inbox){.wake = wake, .arg = arg};
    box->last = &box->first;
    pthread_mutex_init(&box->lock, NULL);
}

void inbox_destroy(struct inbox *box) {
    assert(box->first == NULL);
    pthread_mutex_destroy(&box->lock);
}

void inbox_put(struct inbox *box, struct inbox_item *item) {
    item->next = NULL;
    pthread_mutex_lock(&box->lock);
    bool was_empty = box->first == NULL;
    *box->last = item;
    box->last = &item->next;
    pthread_mutex_unlock(&box->lock);
    if (was_empty) box->wake(box->arg);
}

struct inbox_item *inbox_take(struct inbox *box) {
    pthread_mutex_lock(&box->lock);
    struct inbox_item *first = box->first;
    box->first = NULL;
    box->last = &box->first;
    pthread_mutex_unlock(&box->lock);
    return first;
}
