/* inbox: a queue from any number of threads to one, the owner, in order.
 *
 * An item is the sender's until inbox_put and the owner's after inbox_take; it begins with a `struct
 * inbox_item`. inbox_put holds a lock for a few instructions and never waits for the owner. When it puts an
 * item into an empty inbox it then calls `wake`, on its own thread and without the lock; `wake` has to end
 * the owner's wait. So the senders have to be done before inbox_destroy. */
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
