/* tls: what a listener shows of itself and asks of its clients, from files that may change. Whoever holds it
 * looks at the files from time to time (tls_renew, one thread); connections that come then get what is new,
 * and those that are there go on. The threads that accept see a version, and only when it has changed take
 * what is current under a mutex. */
#pragma once

#include <openssl/ssl.h>
#include <stdint.h>

#include "status.h"

struct tls_files {         /* of PEM; NULL and "" are the same */
    const char *cert;      /* with those between it and the authority */
    const char *key;       /* without a pass phrase */
    const char *client_ca; /* whose certificates clients must have; none: nothing is asked of them */
};

struct tls;

/* NULL: why says which file is wrong. The paths are copied. */
struct tls *tls_open(const struct tls_files *files, struct why *w);
void tls_free(struct tls *tls); /* NULL: nothing */
/* Reads the files again. What cannot be used is logged, and what was there before stays. */
void tls_renew(struct tls *tls);

/* From any thread. What tls_take returns is the caller's: SSL_CTX_free. */
uint64_t tls_version(const struct tls *tls);
SSL_CTX *tls_take(struct tls *tls, uint64_t *version);

/* Whether a client can use these (fetch_tls): the files are there, and the key is the certificate's. */
enum status tls_check_client(const struct tls_files *files, struct why *w);
