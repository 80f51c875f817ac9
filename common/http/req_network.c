#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "http.h"

struct block {
    uint8_t bytes[2], masks[2]; /* of the address's first two bytes */
};

static bool is_among(const uint8_t *address, const struct block *blocks, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((address[0] & blocks[i].masks[0]) == blocks[i].bytes[0] &&
            (address[1] & blocks[i].masks[1]) == blocks[i].bytes[1])
            return true;
    return false;
}

static bool network_of(const struct address *a, int64_t *network) {
    static const struct block private4[] = {
        {{0, 0}, {0xff, 0}},        {{10, 0}, {0xff, 0}},       {{127, 0}, {0xff, 0}},
        {{100, 64}, {0xff, 0xc0}},  {{169, 254}, {0xff, 0xff}}, {{172, 16}, {0xff, 0xf0}},
        {{192, 168}, {0xff, 0xff}},
    };
    /* ::/8 has loopback, fc00::/7 and fe80::/10 are local. */
    static const struct block private6[] = {
        {{0, 0}, {0xff, 0}}, {{0xfc, 0}, {0xfe, 0}}, {{0xfe, 0x80}, {0xff, 0xc0}}};
    bool v4 = address_is_v4(a);
    const uint8_t *bytes = v4 ? a->bytes + 12 : a->bytes;
    if (v4 ? is_among(bytes, private4, sizeof private4 / sizeof *private4)
           : is_among(bytes, private6, sizeof private6 / sizeof *private6))
        return false;
    uint64_t value = 0;
    for (int i = 0; i < (v4 ? 4 : 8); i++)
        value = value << 8 | bytes[i];
    *network = (int64_t)(v4 ? value << 16 : value);
    return true;
}

void req_put_network(struct req *rq, struct sql_params *item) {
    struct address client;
    int64_t network;
    if (req_client(rq, &client) && network_of(&client, &network))
        put_int(item, network);
    else
        put_null(item);
}

/* --- for audit --- */

enum { NETWORK_TEXT = INET6_ADDRSTRLEN + 4, KEPT_4 = 3, KEPT_6 = 6 }; /* bytes: a /24, a /48 */

static struct str near_text(const struct address *a, char text[NETWORK_TEXT]) {
    struct address network = {0};
    bool v4 = address_is_v4(a);
    int from = v4 ? 12 : 0;
    memcpy(network.bytes + from, a->bytes + from, v4 ? KEPT_4 : KEPT_6);
    inet_ntop(v4 ? AF_INET : AF_INET6, network.bytes + from, text, INET6_ADDRSTRLEN);
    size_t n = strlen(text);
    memcpy(text + n, v4 ? "/24" : "/48", sizeof "/24");
    return (struct str){text, n + 3};
}

void req_put_asker(struct req *rq, struct sql_params *item) {
    struct address client;
    char network[NETWORK_TEXT];
    put_optional_uuid(item, req_user(rq)->version > 0, &req_user(rq)->session);
    put_text(item, req_client_address(rq));
    put_text(item, req_client(rq, &client) ? near_text(&client, network) : (struct str){0});
}
