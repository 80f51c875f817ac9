/* link: the token in the link of a letter. Auth makes the letter's id and later reads the token; the process
 * that sends the letter writes the token into it. Both have the same secret keys (admission.h).
 *
 * A token is the base64url (no padding) of the letter's id (16 bytes) and of HMAC-SHA256 of that id, so it is
 * kept nowhere: whoever reads a database or a topic sees ids, and follows no link. What a link may do, and
 * until when, is a row of auth's. Any thread. */
#pragma once

#include "admission.h"

enum { LINK_TEXT = BASE64_TEXT(16 + ADMISSION_MAC) };

/* By the first key. Terminated; returns the length. */
size_t link_write(const struct admission_keys *keys, const struct uuid *letter, char out[LINK_TEXT]);
/* false: none of our keys made this. */
bool link_read(const struct admission_keys *keys, struct str text, struct uuid *letter);
