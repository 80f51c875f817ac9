/* inbox: what threads hand to one other thread, in order.
 *
 * The items are the senders' until inbox_put, the owner's after inbox_take; each begins with a `struct
 * inbox_item`. Putting locks for a few instructions and never waits for the owner. `wake` is called by
 * whoever puts the first item into an empty inbox, without the lock: it has to end the owner's wait. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct inbox_item {
    struct inbox_item *next;
};

struct inbox {
    pthread_mutex_t lock;
    struct inbox_item *first, **last;
    void (*wake)(void *arg);
    void *arg;
};

void inbox_init(struct inbox *box, void (*wake)(void *arg), void *arg);
void inbox_destroy(struct inbox *box); /* it has to be empty */

void inbox_put(struct inbox *box, struct inbox_item *item); /* from any thread */
struct inbox_item *inbox_take(struct inbox *box);           /* all of it, oldest first; NULL: empty */
