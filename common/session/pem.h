/* pem: reads key files in PEM, as a list of paths names them. A key with a pass phrase is refused, not asked
 * for. Any thread; it blocks on the disk. */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>

#include "status.h"

struct pem_key {
    const char *path;
    const char *text; /* of the file; wiped after the call */
    int length;
    EVP_PKEY *pkey; /* freed after the call */
    bool first;     /* of the list: it is private */
};

typedef enum status pem_taker(void *arg, const struct pem_key *key, struct why *w);

/* Calls take for each file of a list separated by commas, in order, until it fails. The first has to be a
 * private key, the others may be private or public. There must be 1 to `most` of them. */
enum status pem_read_list(const char *paths, int most, pem_taker *take, void *arg, struct why *w);
