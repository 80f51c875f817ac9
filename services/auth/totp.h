/* totp: codes that two make of the time and of a secret that they share (RFC 6238, with SHA-1, six digits and
 * steps of 30 seconds: what every app for it knows), by liboath. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "str.h"

enum {
    TOTP_SECRET = 20,                    /* bytes: as many as SHA-1 makes (RFC 4226, 4) */
    TOTP_TEXT = TOTP_SECRET * 8 / 5 + 1, /* of it in base32 */
    TOTP_DIGITS = 6,
    TOTP_STEP_S = 30,
};

bool totp_start(void); /* once, before anything else */

/* Which step of the clock a code is of: the present one, or one beside it. 0: none of them. */
int64_t totp_step(const uint8_t secret[TOTP_SECRET], struct str code, int64_t now_s);
/* In base32, for people to type. Terminated. */
void totp_text(const uint8_t secret[TOTP_SECRET], char out[TOTP_TEXT]);
/* What apps read from a QR code: otpauth://totp/… */
void totp_uri(struct buf *out, const char text[TOTP_TEXT], struct str account);
