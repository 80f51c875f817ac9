#include "origins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"

enum { CROWDED_S = 60, MINUTE_S = 60 };

/* --- networks --- */

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

bool origins_network(const struct address *a, int64_t *network) {
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

void origins_put(struct req *rq, struct sql_params *item) {
    const struct orders *service = req_service(rq);
    struct address client;
    int64_t network;
    if (service->network_most > 0 && req_client(rq, &client) && origins_network(&client, &network))
        put_int(item, network);
    else
        put_null(item);
    put_int(item, (service->lapse_wait_ms + 999) / 1000);
    put_int(item, service->network_most);
}

/* --- refusals --- */

static void refuse_for_now(struct req *rq, const char *reason, int seconds, const char *message) {
    char text[16];
    int n = snprintf(text, sizeof text, "%d", seconds);
    req_set_header(rq, "retry-after", (struct str){text, (size_t)n});
    req_refuse(rq, 429, reason, message);
}

static void refuse_lapsed(struct req *rq, int holds, int seconds) {
    int minutes = (seconds + MINUTE_S - 1) / MINUTE_S;
    char message[128];
    if (minutes <= 1)
        snprintf(message, sizeof message, "You let %d holds of these tickets lapse; try again in a minute",
                 holds);
    else
        snprintf(message, sizeof message, "You let %d holds of these tickets lapse; try again in %d minutes",
                 holds, minutes);
    refuse_for_now(rq, "lapsed", seconds, message);
}

static void refuse_more(struct req *rq, int most) {
    char message[128];
    snprintf(message, sizeof message,
             "As you let holds lapse, %d unpaid tickets are the most that you can hold at a time today",
             most);
    req_refuse(rq, 409, "fewer", message);
}

/* Whether a verdict is this word; its numbers, of which there are as many as it says. */
static bool says(struct str verdict, const char *word, int numbers[2]) {
    char text[48];
    size_t n = strlen(word);
    snprintf(text, sizeof text, "%.*s", (int)verdict.n, verdict.p);
    if (strncmp(text, word, n) != 0) return false;
    char *at = text + n;
    for (int i = 0; i < 2; i++)
        numbers[i] = (int)strtol(at, &at, 10);
    return true;
}

bool origins_refuse(struct req *rq, struct str verdict) {
    int numbers[2];
    if (says(verdict, "crowded", numbers))
        refuse_for_now(rq, "crowded", CROWDED_S,
                       "Too many tickets are held from your network; try again in a minute");
    else if (says(verdict, "lapsed ", numbers))
        refuse_lapsed(rq, numbers[0], numbers[1]);
    else if (says(verdict, "fewer ", numbers))
        refuse_more(rq, numbers[0]);
    else
        return false;
    return true;
}
