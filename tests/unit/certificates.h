/* certificates: an authority of a test's own, and what it signs, in files. Behind cmocka.h. */
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct certified {
    EVP_PKEY *key;
    X509 *cert;
};

static inline void certify_extension(X509 *cert, int nid, const char *value) {
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* by NULL: an authority, which signs itself. usage: serverAuth, clientAuth; NULL: any. */
static inline struct certified certify(const char *name, const struct certified *by, const char *usage) {
    static long serial;
    struct certified made = {EVP_EC_gen("P-256"), X509_new()};
    X509_set_version(made.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(made.cert), 3600);
    X509_set_pubkey(made.cert, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made.cert, X509_get_subject_name(by == NULL ? made.cert : by->cert));
    certify_extension(made.cert, NID_basic_constraints, by == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    certify_extension(made.cert, NID_subject_alt_name, "IP:127.0.0.1");
    if (usage != NULL) certify_extension(made.cert, NID_ext_key_usage, usage);
    assert_int_not_equal(X509_sign(made.cert, by == NULL ? made.key : by->key, EVP_sha256()), 0);
    return made;
}

static inline void certified_free(struct certified *c) {
    EVP_PKEY_free(c->key);
    X509_free(c->cert);
}

static inline void write_certificate(const char *path, const struct certified *c) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, c->cert), 1);
    fclose(file);
}

/* pass: of the phrase without which it cannot be read; NULL: none */
static inline void write_key(const char *path, const struct certified *c, const char *pass) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    const EVP_CIPHER *cipher = pass == NULL ? NULL : EVP_aes_256_cbc();
    assert_int_equal(PEM_write_PKCS8PrivateKey(file, c->key, cipher, pass,
                                               pass == NULL ? 0 : (int)strlen(pass), NULL, NULL),
                     1);
    fclose(file);
}
