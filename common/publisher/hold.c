#include "priv/hold.h"

#include "clock.h"
#include "priv/slot.h"

/* A second before Postgres gives the slot to another. */
static const int64_t PAUSED_US = (REPLICATION_TIMEOUT_S - 1) * 1000 * 1000;

enum status hold_open(struct hold *h, const char *replication_url, struct why *w) {
    if (h->replication == NULL) h->replication = replication_open(replication_url, "publisher-stream", w);
    return h->replication == NULL ? ST_LOST : ST_OK;
}

void hold_close(struct hold *h) {
    replication_close(h->replication);
    h->replication = NULL;
}

static void note_told(struct hold *h) {
    h->told_us = clock_mono_us();
    h->told_boot_us = clock_boot_us();
}

enum status hold_start(struct hold *h, const char *slot, struct why *w) {
    note_told(h);
    return replication_start(h->replication, slot, PUBLICATION, w);
}

enum status hold_confirm(struct hold *h, uint64_t confirmed, struct why *w) {
    enum status st = hold_check_awake(h, w);
    if (st != ST_OK) return st;
    note_told(h);
    return replication_confirm(h->replication, confirmed, w);
}

enum status hold_check_awake(const struct hold *h, struct why *w) {
    if (clock_boot_us() - h->told_boot_us < PAUSED_US) return ST_OK;
    return why(w, ST_LOST, "was paused, and the slot may be another's by now");
}
