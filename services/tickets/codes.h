/* codes: what somebody who bought a ticket shows at the door: signed by Ed25519, so that anybody can verify
 * it off line by the published keys, and short enough for a QR code.
 *
 * A code is the base64url (no padding) of these bytes:
 *
 *     1       the version, 1
 *     6       the key: the first bytes of the SHA-256 of its 32 public ones
 *     16      the ticket's id
 *     16      the show's id; zeros when the ticket is of none
 *     16      the serial: the order's id. Each sale has its own, so a code ends with its sale
 *     1       how many bytes the words have
 *     0-80    where it is, in words for people (UTF-8)
 *     64      the signature of everything before it
 *
 * `struct codes` has the keys; it does not change. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base64.h"
#include "status.h"
#include "str.h"
#include "uuid.h"

enum {
    CODE_WORDS = 80,
    CODE_KEY = 6,
    CODE_HEAD = 1 + CODE_KEY + 3 * 16 + 1,
    CODE_SIGNATURE = 64,
    CODE_MOST = CODE_HEAD + CODE_WORDS + CODE_SIGNATURE,
    CODE_TEXT = BASE64_TEXT(CODE_MOST),
};

struct code {
    struct uuid ticket, show, serial;
    char words[CODE_WORDS];
    size_t words_length;
};

struct codes;
/* paths: PEM files of Ed25519 keys, separated by commas. The first signs, all are accepted. NULL: why says
 * it.
 */
struct codes *codes_open(const char *paths, struct why *w);
void codes_free(struct codes *codes);
struct str codes_keys(const struct codes *codes); /* the public ones as a JWKS, which lives with codes */

void code_set_words(struct code *code, struct str words); /* as much of them as there is room for */
/* The code's text, which is terminated. Returns its length. */
size_t codes_sign(const struct codes *codes, const struct code *code, char out[CODE_TEXT]);

enum code_fault {
    CODE_GENUINE,
    CODE_FORGED,      /* it has not even the form of a code of ours */
    CODE_UNKNOWN_KEY, /* signed by none of our keys */
    CODE_ALTERED,     /* its signature is of something else */
};
/* What is shown at a door. *out is set only if it is genuine. */
enum code_fault codes_read(const struct codes *codes, struct str text, struct code *out);
