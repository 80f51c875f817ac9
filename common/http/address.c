#include "address.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void address_from_v4(const void *four, struct address *out) {
    memcpy(out->bytes, mapped, sizeof mapped);
    memcpy(out->bytes + 12, four, 4);
}

bool address_is_v4(const struct address *a) {
    return memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

bool address_parse(const char *text, struct address *out) {
    struct in_addr four;
    if (inet_pton(AF_INET, text, &four) == 1) {
        address_from_v4(&four, out);
        return true;
    }
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}
