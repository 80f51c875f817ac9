#include "admission.h"

#include <ctype.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "hex.h"
#include "mem.h"

enum { UNBOUND = 1, BOUND = 2, ID = 4, KEY_LEAST = 32, KEY_MOST = 64 };

struct key {
    uint8_t id[ID];
    crypto_auth_hmacsha256_state begun; /* the key, hashed in: half of the work of each token */
};

struct admission_keys {
    int n;
    struct key keys[ADMISSION_KEYS];
};

/* --- keys --- */

static enum status take_key(struct admission_keys *keys, const char *path, struct str digits, struct why *w) {
    uint8_t bytes[KEY_MOST], digest[crypto_hash_sha256_BYTES];
    size_t n = digits.n / 2;
    if (n < KEY_LEAST || n > KEY_MOST || !hex_decode(digits, bytes, n))
        return why(w, ST_INVALID, "%s: must hold %d to %d hexadecimal digits and nothing else", path,
                   2 * KEY_LEAST, 2 * KEY_MOST);
    struct key *key = &keys->keys[keys->n++];
    crypto_hash_sha256(digest, bytes, n);
    memcpy(key->id, digest, ID);
    crypto_auth_hmacsha256_init(&key->begun, bytes, n);
    sodium_memzero(bytes, sizeof bytes);
    return ST_OK;
}

static enum status read_key(struct admission_keys *keys, const char *path, struct why *w) {
    char text[2 * KEY_MOST + 2]; /* a line's end, and one more to see that it is too long */
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0) close(fd);
    if (n < 0) return why(w, ST_INVALID, "%s: cannot be read", path);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    enum status st = take_key(keys, path, (struct str){text, (size_t)n}, w);
    sodium_memzero(text, sizeof text);
    return st;
}

/* path is cut where it ends. */
static enum status read_keys(struct admission_keys *keys, char *paths, struct why *w) {
    char *rest = NULL;
    for (char *path = strtok_r(paths, ", ", &rest); path != NULL; path = strtok_r(NULL, ", ", &rest)) {
        if (keys->n == ADMISSION_KEYS) return why(w, ST_INVALID, "more than %d keys", ADMISSION_KEYS);
        enum status st = read_key(keys, path, w);
        if (st != ST_OK) return st;
    }
    return keys->n > 0 ? ST_OK : why(w, ST_INVALID, "names no file");
}

struct admission_keys *admission_keys_open(const char *paths, struct why *w) {
    struct admission_keys *keys = mem_alloc(sizeof *keys);
    char *copy = mem_strdup(paths);
    enum status st =
        sodium_init() < 0 ? why(w, ST_FAILED, "libsodium does not start") : read_keys(keys, copy, w);
    free(copy);
    if (st == ST_OK) return keys;
    admission_keys_free(keys);
    return NULL;
}

void admission_keys_free(struct admission_keys *keys) {
    if (keys == NULL) return;
    sodium_memzero(keys, sizeof *keys);
    free(keys);
}

int admission_keys_count(const struct admission_keys *keys) {
    return keys->n;
}

static void authenticate(const struct key *key, const uint8_t *bytes, size_t n, uint8_t out[ADMISSION_MAC]) {
    crypto_auth_hmacsha256_state state = key->begun;
    crypto_auth_hmacsha256_update(&state, bytes, n);
    crypto_auth_hmacsha256_final(&state, out);
}

void admission_secret(const struct admission_keys *keys, int key, const uint8_t *about, size_t n,
                      uint8_t out[ADMISSION_MAC]) {
    authenticate(&keys->keys[key], about, n, out);
}

/* --- tokens --- */

static uint8_t *put(uint8_t *to, const void *bytes, size_t n) {
    memcpy(to, bytes, n);
    return to + n;
}

static uint8_t *put_number(uint8_t *to, uint64_t v, int bytes) {
    for (int i = bytes - 1; i >= 0; i--)
        *to++ = (uint8_t)(v >> (8 * i));
    return to;
}

static uint64_t number(const uint8_t *from, int bytes) {
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | from[i];
    return v;
}

size_t admission_sign(const struct admission_keys *keys, const struct admission *a,
                      char out[ADMISSION_TEXT]) {
    uint8_t bytes[ADMISSION_SIGNED + ADMISSION_MAC], *end = bytes;
    *end++ = a->most == 0 ? UNBOUND : BOUND;
    end = put(end, keys->keys[0].id, ID);
    end = put(end, a->show.b, 16);
    end = put(end, a->user.b, 16);
    end = put_number(end, a->place, 4);
    end = put_number(end, (uint64_t)(a->until_us / 1000), 8);
    if (a->most != 0) *end++ = (uint8_t)a->most;
    size_t n = (size_t)(end - bytes);
    authenticate(&keys->keys[0], bytes, n, end);
    return base64_encode(bytes, n + ADMISSION_MAC, out);
}

static const struct key *find_key(const struct admission_keys *keys, const uint8_t *id) {
    for (int i = 0; i < keys->n; i++)
        if (memcmp(keys->keys[i].id, id, ID) == 0) return &keys->keys[i];
    return NULL;
}

bool admission_read(const struct admission_keys *keys, struct str text, struct admission *out) {
    uint8_t bytes[ADMISSION_SIGNED + ADMISSION_MAC], mac[ADMISSION_MAC];
    size_t n;
    if (!base64_decode(text, bytes, sizeof bytes, &n) || n == 0) return false;
    size_t before_mac = ADMISSION_SIGNED - (bytes[0] == UNBOUND);
    if ((bytes[0] != UNBOUND && bytes[0] != BOUND) || n != before_mac + ADMISSION_MAC) return false;
    const struct key *key = find_key(keys, bytes + 1);
    if (key == NULL) return false;
    authenticate(key, bytes, before_mac, mac);
    if (sodium_memcmp(mac, bytes + before_mac, sizeof mac) != 0) return false;
    const uint8_t *at = bytes + 1 + ID;
    memcpy(out->show.b, at, 16);
    memcpy(out->user.b, at + 16, 16);
    out->place = (uint32_t)number(at + 32, 4);
    out->until_us = (int64_t)(number(at + 36, 8) & (UINT64_MAX >> 20)) * 1000; /* no time of ours has more */
    out->most = bytes[0] == BOUND ? at[44] : 0;
    return bytes[0] == UNBOUND || out->most > 0;
}
