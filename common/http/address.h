/* address: an IP address, of either version. Values: any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* IPv4 is kept as ::ffff:a.b.c.d. */
struct address {
    uint8_t bytes[16];
};

void address_from_v4(const void *four, struct address *out);
bool address_is_v4(const struct address *a);
/* Without a port. */
bool address_parse(const char *text, struct address *out);
