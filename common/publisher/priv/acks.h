/* acks: finds the LSN up to which Kafka has acknowledged everything.
 *
 * A ring of the transactions that have events on their way. Acknowledgements come in any order; an LSN may be
 * confirmed to Postgres when every event of every transaction up to it is acknowledged. O(1) an event,
 * amortized. One owner thread. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <stdbool.h>
#include <stdint.h>

struct acks_entry {
    uint64_t end_lsn; /* confirmed once this entry and all before it are through */
    int64_t committed_us;
    uint32_t pending; /* events not acknowledged */
};

struct acks {
    struct acks_entry *ring;
    uint64_t capacity;   /* a power of two */
    uint64_t head, next; /* numbers of the oldest transaction, and of the next one to come */
    bool open;           /* between begin and commit */
    bool entered;        /* the open transaction has an entry, next - 1 */
    int64_t committed_us;
    uint64_t confirmed; /* what may be confirmed to Postgres */
    uint64_t unacked;   /* events on their way, of all transactions */
};

void acks_init(struct acks *a);
void acks_free(struct acks *a);

/* committed_us: 0 where there is no moment that the delay could be measured from. */
void acks_begin(struct acks *a, int64_t committed_us);
uint64_t acks_event(struct acks *a); /* an event of the open transaction goes to Kafka; returns the number
                                        that its acknowledgement has */
void acks_commit(struct acks *a, uint64_t end_lsn);
/* Between transactions: everything before this LSN has been seen. */
void acks_passed(struct acks *a, uint64_t lsn);
void acks_acknowledged(struct acks *a, uint64_t number);
