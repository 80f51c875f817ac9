#include "pem.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { MAX_PEM = 64 * 1024 };

static enum status read_file(const char *path, char *pem, int *length, struct why *w) {
    FILE *file = fopen(path, "re");
    if (file == NULL) return why(w, ST_NOT_FOUND, "%s: %m", path);
    size_t n = fread(pem, 1, MAX_PEM, file);
    bool whole = !ferror(file) && n < MAX_PEM;
    fclose(file);
    if (!whole) return why(w, ST_INVALID, "%s cannot be read or is no key", path);
    pem[n] = '\0';
    *length = (int)n;
    return ST_OK;
}

/* Without this OpenSSL asks for a key's pass phrase on the terminal. */
static int no_pass_phrase(char *out, int cap, int writing, void *arg) {
    (void)out, (void)cap, (void)writing, (void)arg;
    return -1;
}

typedef EVP_PKEY *pem_reader(BIO *bio, EVP_PKEY **out, pem_password_cb *pass_phrase, void *arg);

static EVP_PKEY *parse(const char *pem, int length, pem_reader *read) {
    BIO *bio = BIO_new_mem_buf(pem, length);
    EVP_PKEY *pkey = read(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    return pkey;
}

static enum status take_file(const char *path, bool first, pem_taker *take, void *arg, struct why *w) {
    char pem[MAX_PEM + 1];
    int length = 0;
    enum status st = read_file(path, pem, &length, w);
    if (st != ST_OK) return st;
    EVP_PKEY *pkey = parse(pem, length, PEM_read_bio_PrivateKey);
    if (pkey == NULL && !first) pkey = parse(pem, length, PEM_read_bio_PUBKEY);
    if (pkey == NULL)
        st = why(w, ST_INVALID, "%s: not a PEM %s key without a pass phrase", path,
                 first ? "private" : "private or public");
    else
        st = take(arg, &(struct pem_key){path, pem, length, pkey, first}, w);
    EVP_PKEY_free(pkey);
    OPENSSL_cleanse(pem, sizeof pem);
    return st;
}

enum status pem_read_list(const char *paths, int most, pem_taker *take, void *arg, struct why *w) {
    char *list = mem_strdup(paths), *rest = list, *path;
    enum status st = ST_OK;
    int n = 0;
    while (st == ST_OK && (path = strsep(&rest, ",")) != NULL) {
        path += strspn(path, " ");
        if (*path != '\0') st = take_file(path, n++ == 0, take, arg, w);
    }
    if (st == ST_OK && n == 0) st = why(w, ST_INVALID, "no key file is named");
    if (st == ST_OK && n > most) st = why(w, ST_INVALID, "more than %d keys", most);
    free(list);
    return st;
}
