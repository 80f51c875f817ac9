/* letter: the words of a letter, as a message of RFC 5322: text and HTML, from the template and the texts of
 * this folder. The same event makes the same letter, byte for byte, so one that comes twice is the same. Any
 * thread; sets the thread's language (language.h). */
#pragma once

#include "buf.h"
#include "events.h"
#include "link.h"

struct letter_options {
    const char *from;       /* an address */
    const char *public_url; /* of the site, without a slash at its end */
    struct admission_keys *keys;
};

/* ST_INVALID: the sender is no address, or the URL none. */
enum status letter_check(const struct letter_options *options, struct why *w);
/* Whether this can be given to a mail server: an address of ASCII, with nothing that means something else
 * there. */
bool letter_can_go_to(struct str email);
void letter_make(struct buf *out, const struct letter_options *options, const struct letter_event *e);
