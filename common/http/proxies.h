/* proxies: IP addresses, and the blocks of them whose X-Forwarded-For is believed.
 *
 * Read from the setting TRUSTED_PROXIES at the start, never changed afterwards: any thread may look. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "status.h"
#include "str.h"

struct address_block {
    struct address address;
    int bits;
};

struct proxies {
    struct address_block *blocks;
    int count;
};

/* list: addresses or blocks ("10.0.0.0/8"), separated by commas; NULL or "": none. */
enum status proxies_parse(const char *list, struct proxies *out, struct why *w);
void proxies_free(struct proxies *p);
bool proxies_trust(const struct proxies *p, const struct address *a);
