#include "tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "mem.h"
#include "priv/tls_metrics.h"

enum { MAX_FILE = 1024 * 1024, PIECE = 8192 }; /* a bundle of all public authorities is 220 KB */

/* Of TLS 1.2; all of 1.3's are good. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

enum { CERT, KEY, CA, FILES };

struct tls {
    char *paths[FILES];
    struct buf texts[FILES]; /* as they were when current was made */
    struct why problem;      /* of the last look; empty: it went well */
    _Atomic uint64_t version;
    pthread_mutex_t lock; /* guards current */
    SSL_CTX *current;
};

/* --- files --- */

static enum status read_file(const char *path, struct buf *out, struct why *w) {
    FILE *file = fopen(path, "re");
    if (file == NULL) return why(w, ST_INVALID, "%s: %m", path);
    do {
        buf_reserve(out, PIECE);
        out->len += fread(out->data + out->len, 1, PIECE, file);
    } while (out->len <= MAX_FILE && !feof(file) && !ferror(file));
    bool whole = feof(file) && !ferror(file);
    fclose(file);
    return whole ? ST_OK : why(w, ST_INVALID, "%s: cannot be read, or is longer than 1 MiB", path);
}

static void free_texts(struct buf texts[FILES]) {
    for (int i = 0; i < FILES; i++)
        buf_free(&texts[i]);
}

static enum status read_all(char *const paths[FILES], struct buf texts[FILES], struct why *w) {
    enum status st = ST_OK;
    for (int i = 0; i < FILES && st == ST_OK; i++)
        if (paths[i] != NULL) st = read_file(paths[i], &texts[i], w);
    return st;
}

/* --- what is in them --- */

/* OpenSSL would ask the terminal. */
static int no_pass_phrase(char *out, int size, int writing, void *arg) {
    (void)out, (void)size, (void)writing, (void)arg;
    return 0;
}

static BIO *open_text(const struct buf *text) {
    BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
    if (bio == NULL) abort();
    return bio;
}

static X509 *next_certificate(BIO *bio) {
    return PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
}

/* What follows the certificate leads to the authority. */
static enum status use_certificate(SSL_CTX *ctx, const char *path, const struct buf *text, struct why *w) {
    BIO *bio = open_text(text);
    X509 *cert = next_certificate(bio);
    bool good = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;
    X509_free(cert);
    while (good && (cert = next_certificate(bio)) != NULL)
        good = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
    BIO_free(bio);
    return good ? ST_OK : why(w, ST_INVALID, "%s: not a certificate in PEM", path);
}

static enum status use_key(SSL_CTX *ctx, char *const paths[FILES], const struct buf *text, struct why *w) {
    BIO *bio = open_text(text);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    if (key == NULL) return why(w, ST_INVALID, "%s: not a key in PEM without a pass phrase", paths[KEY]);
    bool fits = SSL_CTX_use_PrivateKey(ctx, key) == 1;
    EVP_PKEY_free(key);
    return fits ? ST_OK : why(w, ST_INVALID, "%s: not the key of %s", paths[KEY], paths[CERT]);
}

/* In the handshake clients are told the names of the authorities, so that they can choose. */
static enum status use_authority(SSL_CTX *ctx, const char *path, const struct buf *text, struct why *w) {
    BIO *bio = open_text(text);
    int n = 0;
    for (X509 *cert; (cert = next_certificate(bio)) != NULL; n++) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) != 1 ||
            SSL_CTX_add_client_CA(ctx, cert) != 1)
            abort();
        X509_free(cert);
    }
    BIO_free(bio);
    return n > 0 ? ST_OK : why(w, ST_INVALID, "%s: no certificate in PEM", path);
}

static enum status use_all(SSL_CTX *ctx, char *const paths[FILES], const struct buf texts[FILES],
                           struct why *w) {
    enum status st = paths[CERT] == NULL ? ST_OK : use_certificate(ctx, paths[CERT], &texts[CERT], w);
    if (st == ST_OK && paths[KEY] != NULL) st = use_key(ctx, paths, &texts[KEY], w);
    if (st == ST_OK && paths[CA] != NULL) st = use_authority(ctx, paths[CA], &texts[CA], w);
    ERR_clear_error();
    return st;
}

/* --- the listener's context --- */

/* HTTP/2 belongs to the edge. Who offers nothing speaks HTTP/1, too. */
static int choose_http1(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                        unsigned in_n, void *arg) {
    (void)ssl, (void)arg;
    static const char name[] = "http/1.1";
    for (unsigned i = 0; i < in_n; i += in[i] + 1U)
        if (in[i] == sizeof name - 1 && memcmp(in + i + 1, name, sizeof name - 1) == 0) {
            *out = in + i + 1;
            *out_n = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* No sessions are resumed: proxies keep their connections, and a ticket would outlive the authority that a
 * client was judged by. */
static SSL_CTX *new_context(void) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, ciphers) != 1 || SSL_CTX_set_num_tickets(ctx, 0) != 1)
        abort();
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* most connections are silent most of the time */
    SSL_CTX_set_alpn_select_cb(ctx, choose_http1, NULL);
    return ctx;
}

static SSL_CTX *make(char *const paths[FILES], const struct buf texts[FILES], struct why *w) {
    SSL_CTX *ctx = new_context();
    if (use_all(ctx, paths, texts, w) != ST_OK) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    if (paths[CA] != NULL) SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return ctx;
}

static int64_t end_of(const SSL_CTX *ctx) {
    struct tm until;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(ctx)), &until) != 1) return 0;
    return timegm(&until);
}

static void put_current(struct tls *tls, SSL_CTX *ctx) {
    metric_set(M_TLS_NOT_AFTER, end_of(ctx));
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->current;
    tls->current = ctx;
    atomic_fetch_add_explicit(&tls->version, 1, memory_order_release);
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old);
}

/* --- outside --- */

static void copy_paths(const struct tls_files *files, char *paths[FILES]) {
    const char *const all[FILES] = {[CERT] = files->cert, [KEY] = files->key, [CA] = files->client_ca};
    for (int i = 0; i < FILES; i++)
        paths[i] = all[i] == NULL || all[i][0] == '\0' ? NULL : mem_strdup(all[i]);
}

struct tls *tls_open(const struct tls_files *files, struct why *w) {
    struct tls *tls = mem_alloc(sizeof *tls);
    pthread_mutex_init(&tls->lock, NULL);
    copy_paths(files, tls->paths);
    SSL_CTX *ctx = NULL;
    if (tls->paths[CERT] == NULL || tls->paths[KEY] == NULL)
        why(w, ST_INVALID, "a certificate and its key must be given, both");
    else if (read_all(tls->paths, tls->texts, w) == ST_OK)
        ctx = make(tls->paths, tls->texts, w);
    if (ctx == NULL) {
        tls_free(tls);
        return NULL;
    }
    put_current(tls, ctx);
    metrics_register(tls_metrics);
    return tls;
}

void tls_free(struct tls *tls) {
    if (tls == NULL) return;
    SSL_CTX_free(tls->current);
    free_texts(tls->texts);
    for (int i = 0; i < FILES; i++)
        free(tls->paths[i]);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

static bool same(const struct buf a[FILES], const struct buf b[FILES]) {
    for (int i = 0; i < FILES; i++)
        if (!str_eq(buf_str(&a[i]), buf_str(&b[i]))) return false;
    return true;
}

/* A key that does not fit its certificate may just be the older one of two that are being written. */
void tls_renew(struct tls *tls) {
    struct buf texts[FILES] = {0};
    struct why w = {0};
    SSL_CTX *ctx = NULL;
    bool read = read_all(tls->paths, texts, &w) == ST_OK, changed = read && !same(texts, tls->texts);
    if (changed) ctx = make(tls->paths, texts, &w);
    if (ctx != NULL) {
        free_texts(tls->texts);
        memcpy(tls->texts, texts, sizeof texts);
        put_current(tls, ctx);
        log_info("tls", "%s and what belongs to it have changed, and are used from now on", tls->paths[CERT]);
    } else
        free_texts(texts);
    if (w.text[0] == '\0')
        tls->problem.text[0] = '\0';
    else if (log_news(&tls->problem, &w))
        log_warn("tls", "%s; what was there before is used on", w.text);
}

uint64_t tls_version(const struct tls *tls) {
    return atomic_load_explicit(&tls->version, memory_order_acquire);
}

SSL_CTX *tls_take(struct tls *tls, uint64_t *version) {
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *ctx = tls->current;
    SSL_CTX_up_ref(ctx);
    *version = tls_version(tls);
    pthread_mutex_unlock(&tls->lock);
    return ctx;
}

enum status tls_check_client(const struct tls_files *files, struct why *w) {
    char *paths[FILES];
    struct buf texts[FILES] = {0};
    copy_paths(files, paths);
    SSL_CTX *ctx = new_context();
    enum status st = ST_OK;
    if ((paths[CERT] == NULL) != (paths[KEY] == NULL))
        st = why(w, ST_INVALID, "a certificate and its key must be given, both or none");
    if (st == ST_OK) st = read_all(paths, texts, w);
    if (st == ST_OK) st = use_all(ctx, paths, texts, w);
    SSL_CTX_free(ctx);
    free_texts(texts);
    for (int i = 0; i < FILES; i++)
        free(paths[i]);
    return st;
}
