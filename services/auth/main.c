/* auth: who people are. Accounts, passwords, sessions and the keys that sign them. */
#include "events.h"
#include "queries.h"
#include "routes.h"
#include "service.h"
#include "totp.h"

static struct auth auth;
static const char *key_files, *link_keys, *passkey_origin;
static int64_t hash_threads, hash_queue, hash_memory, hash_passes;

static const struct config_var auth_config[] = {
    {"SESSION_KEYS", CONFIG_TEXT, &key_files, NULL,
     "PEM files of RSA keys, separated by commas: the first signs sessions, all are accepted", 0, 0},
    {"LINK_KEYS", CONFIG_TEXT, &link_keys, NULL,
     "Files of 64 hexadecimal digits, separated by commas: the first makes letters' links, all are accepted",
     0, 0},
    {"VERIFY_EMAIL", CONFIG_BOOL, &auth.verify_email, "true",
     "Whether people have to follow the link of a letter before they may hold tickets", 0, 0},
    {"PASSKEY_ORIGIN", CONFIG_TEXT, &passkey_origin, "",
     "Where people find the site, as their browsers say it: https://HOST; empty: nobody signs in by a passkey",
     0, 0},
    {"SIGNIN_RATE", CONFIG_INT, &auth.signin_rate, "20",
     "Passwords that may be tried in a minute, by address and by account; 0: any number", 0, 1000000},
    {"SIGNIN_FAILURES", CONFIG_INT, &auth.failed_a_day, "10",
     "Wrong passwords of an account in a day, each further one of which makes the next try wait longer; ten times "
     "as many of an address; 0: any number",
     0, 100000},
    {"SIGNUP_RATE", CONFIG_INT, &auth.signup_rate, "10",
     "Sign-ups and requests for a new password that may be tried in a minute, by address and by e-mail; 0: any number",
     0, 1000000},
    {"HASH_THREADS", CONFIG_INT, &hash_threads, "2",
     "Passwords hashed at a time; each takes HASH_MEMORY and most of a core while it lasts", 1, 64},
    {"HASH_QUEUE", CONFIG_INT, &hash_queue, "64", "Requests that may wait for a hash; more are answered 503",
     1, 10000},
    {"HASH_MEMORY", CONFIG_INT, &hash_memory, "64",
     "MiB that argon2id takes for a new hash; an older hash is replaced when its owner signs in", 1, 4096},
    {"HASH_PASSES", CONFIG_INT, &hash_passes, "2", "Passes of argon2id over that memory", 1, 1000},
    {0},
};

/* auth knows its own keys; everybody else fetches them from /.well-known/jwks.json. */
static enum status start(const struct settings *settings, void **state, struct session_keys **keys,
                         struct why *w) {
    auth.session_ms = settings->session_ms;
    if (sodium_init() < 0) return why(w, ST_FAILED, "libsodium does not start");
    if (!totp_start()) return why(w, ST_FAILED, "liboath does not start");
    auth.signer = session_signer_open(key_files, w);
    if (auth.signer == NULL) return ST_INVALID;
    struct why cause;
    auth.links = admission_keys_open(link_keys, &cause);
    if (auth.links == NULL) return why(w, ST_INVALID, "LINK_KEYS: %s", cause.text);
    if (passkey_site_open(&auth.site, passkey_origin, auth.links, w) != ST_OK) return ST_INVALID;
    *keys = session_keys_fixed(keyset_parse(session_jwks(auth.signer), w));
    auth.hasher = hasher_start(&(struct hasher_options){.threads = (int)hash_threads,
                                                        .queue = (int)hash_queue,
                                                        .memory = (size_t)hash_memory * 1024 * 1024,
                                                        .passes = (unsigned)hash_passes,
                                                        .signer = auth.signer});
    *state = &auth;
    return ST_OK;
}

static void stop(void *state) {
    (void)state;
    hasher_free(auth.hasher);
    session_signer_free(auth.signer);
    passkey_site_close(&auth.site);
    admission_keys_free(auth.links);
}

int main(int argc, char **argv) {
    return service_main(
        argc, argv,
        &(struct service){
            .name = "auth",
            .config = auth_config,
            .schema = &auth_schema,
            .statements = auth_statements,
            .routes = auth_routes,
            .publishes = (const struct publisher_log[]){{.table = "user_events", .topic = &topic_users},
                                                        {.table = "letter_events", .topic = &topic_letters},
                                                        {.table = "audit_events", .topic = &topic_audit},
                                                        {0}},
            .start = start,
            .stop = stop,
        });
}
