/* admission: the token by which somebody whose turn it is in the queue of a show may buy there. The queue
 * writes it and orders reads it, without asking anybody: both have the same secret keys.
 *
 * A token is the base64url (no padding) of these bytes:
 *
 *     1       the version, 1 or 2
 *     4       the key: the first bytes of its SHA-256
 *     16      the show's id
 *     16      the user's id
 *     4       his place, big endian
 *     8       until when he may buy, unix milliseconds, big endian
 *     1       only of version 2: how many places he may buy by it, in one purchase
 *     32      HMAC-SHA256 of everything before it
 *
 * One of version 1 is good for as many purchases as the phase lets him make. Which of the two is written
 * follows from `most`.
 *
 * Whoever reads one compares the user to the session's: a token is of no use to anybody else.
 *
 * A key is a file of 64 to 128 hexadecimal digits, as `openssl rand -hex 32` makes it. The first of the list
 * signs, all are accepted. So keys rotate without losing a token: add the new one behind the old one
 * everywhere, then put it first, then take the old one away.
 *
 * `struct admission_keys` does not change. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base64.h"
#include "status.h"
#include "str.h"
#include "uuid.h"

enum {
    ADMISSION_KEYS = 8, /* at most */
    ADMISSION_MAC = 32,
    ADMISSION_SIGNED = 1 + 4 + 16 + 16 + 4 + 8 + 1, /* one less of version 1 */
    ADMISSION_TEXT = BASE64_TEXT(ADMISSION_SIGNED + ADMISSION_MAC),
};

struct admission {
    struct uuid show, user;
    uint32_t place;
    int most;         /* places, up to 255, in one purchase; 0: any */
    int64_t until_us; /* to the millisecond */
};

struct admission_keys;
/* paths: files separated by commas. NULL: why says it. Blocks on the disk. */
struct admission_keys *admission_keys_open(const char *paths, struct why *w);
void admission_keys_free(struct admission_keys *keys);
int admission_keys_count(const struct admission_keys *keys);

/* The token, which is terminated. Returns its length. */
size_t admission_sign(const struct admission_keys *keys, const struct admission *a, char out[ADMISSION_TEXT]);
/* false: none of our keys signed this. Its time may be over: that is for the caller to see. */
bool admission_read(const struct admission_keys *keys, struct str text, struct admission *out);

/* What only who has the key can know: HMAC-SHA256 of `about`. For keys that sign no tokens. */
void admission_secret(const struct admission_keys *keys, int key, const uint8_t *about, size_t n,
                      uint8_t out[ADMISSION_MAC]);
