/* smtp: gives letters to an SMTP server, one after the other, over one connection that is kept for a while.
 * By libcurl. It belongs to one thread, which it blocks. */
#pragma once

#include <stdbool.h>

#include "status.h"
#include "str.h"

struct smtp_options {
    const char *url;             /* smtp://HOST:PORT or smtps://HOST:PORT */
    bool starttls;               /* smtp:// has to turn to TLS */
    const char *ca;              /* a file; "": the system's */
    const char *user, *password; /* "": none */
    int timeout_ms;              /* of a letter */
    /* Asked ten times a second while a letter is on its way: whether it has to end now. */
    bool (*give_up)(void *arg);
    void *arg;
};

struct smtp_letter {
    const char *from;
    struct str to;
    struct str text; /* headers and all, with lines that end in CRLF */
};

enum smtp_result {
    SMTP_SENT,    /* the server has it */
    SMTP_REFUSED, /* it will never take this letter */
    SMTP_LATER,   /* not this letter, now */
    SMTP_AWAY,    /* no letter, now; perhaps it has this one all the same */
    SMTP_WRONG,   /* it will not have us: who we are, its certificate */
};

struct smtp;
/* The options' texts outlive it. NULL: the URL is none. */
struct smtp *smtp_new(const struct smtp_options *options, struct why *w);
void smtp_free(struct smtp *s);
enum smtp_result smtp_send(struct smtp *s, const struct smtp_letter *letter, struct why *w);
