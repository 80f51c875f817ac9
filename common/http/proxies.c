#include "proxies.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

static bool in_block(const struct address_block *block, const struct address *a) {
    int whole = block->bits / 8, rest = block->bits % 8;
    if (memcmp(block->address.bytes, a->bytes, (size_t)whole) != 0) return false;
    return rest == 0 || (block->address.bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

bool proxies_trust(const struct proxies *p, const struct address *a) {
    for (int i = 0; i < p->count; i++)
        if (in_block(&p->blocks[i], a)) return true;
    return false;
}

static bool parse_block(char *text, struct address_block *out) {
    char *slash = strchr(text, '/'), *end = NULL;
    if (slash != NULL) *slash = '\0';
    struct address a;
    if (!address_parse(text, &a)) return false;
    int most = address_is_v4(&a) && strchr(text, ':') == NULL ? 32 : 128;
    long bits = most;
    if (slash != NULL) {
        if (slash[1] < '0' || slash[1] > '9') return false;
        bits = strtol(slash + 1, &end, 10);
        if (*end != '\0' || bits > most) return false;
    }
    out->address = a;
    out->bits = (int)bits + 128 - most;
    return true;
}

enum status proxies_parse(const char *list, struct proxies *out, struct why *w) {
    *out = (struct proxies){0};
    if (list == NULL) return ST_OK;
    char *copy = mem_strdup(list), *rest = copy;
    enum status st = ST_OK;
    for (char *item; st == ST_OK && (item = strsep(&rest, ", ")) != NULL;) {
        if (*item == '\0') continue;
        struct address_block block;
        char shown[64];
        snprintf(shown, sizeof shown, "%s", item);
        if (!parse_block(item, &block)) {
            st = why(w, ST_INVALID, "must be addresses or blocks like 10.0.0.0/8, got \"%s\"", shown);
            break;
        }
        out->blocks = mem_grow(out->blocks, (size_t)(out->count + 1) * sizeof *out->blocks);
        out->blocks[out->count++] = block;
    }
    free(copy);
    if (st != ST_OK) proxies_free(out);
    return st;
}

void proxies_free(struct proxies *p) {
    free(p->blocks);
    *p = (struct proxies){0};
}
