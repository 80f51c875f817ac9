/* sources: the topics that a service reacts to, and how their records are read. One owner thread. */
#pragma once

#ifndef CONSUMER_PRIV
#error "private to common/consumer"
#endif

#include "consumer.h"
#include "registry.h"
#include "wire.h"

enum { MOST_TOPICS = 8 };

struct source {
    const struct topic *topic;
    struct wire_decoder *decoder;
    void *event; /* of the record at hand */
};

struct sources {
    const struct reaction *reactions;
    struct source all[MOST_TOPICS];
    const char *names[MOST_TOPICS + 1]; /* of the topics, for a group; NULL at the end */
};

/* patience_ms: as in wire.h. */
void sources_init(struct sources *s, const struct reaction *reactions, struct registry *registry,
                  int64_t patience_ms);
void sources_free(struct sources *s);
/* What is done about the source's event at hand. NULL: nothing. */
const struct reaction *sources_reaction(const struct sources *s, const struct source *source);
