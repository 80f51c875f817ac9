/* sealed: the secret of a second factor as the database has it. It is encrypted (XChaCha20-Poly1305) by a key
 * that is made of one of LINK_KEYS (HKDF's expand step, RFC 5869), and bound to whose it is: whoever reads
 * the database has no code of anybody, and whoever writes to it gives nobody another's secret.
 *
 * The first key seals, all open. What another one sealed is sealed anew when its owner signs in. Any thread.
 */
#pragma once

#include "admission.h"
#include "totp.h"

enum { SEALED_NONCE = 24, SEALED_MAC = 16, SEALED = SEALED_NONCE + TOTP_SECRET + SEALED_MAC };

void sealed_write(const struct admission_keys *keys, const struct uuid *user,
                  const uint8_t secret[TOTP_SECRET], uint8_t out[SEALED]);
/* Which key opened it: its place in the list; -1: none. */
int sealed_read(const struct admission_keys *keys, const struct uuid *user, struct str sealed,
                uint8_t secret[TOTP_SECRET]);
