/* token: sessions of made-up users, for load and tests.
 *
 *     token KEYFILE N     N tokens signed by the private key in KEYFILE, a line each, good for 12 hours
 *
 * They are as good as real ones wherever that key is trusted: for development only. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "session.h"

enum { MAX_TOKENS = 1000000, MAX_THREADS = 64, LIVES_S = 12 * 3600 };

/* One thread's share: every `step`th token from `first` on. */
struct share {
    struct session_signer *signer;
    char **tokens;
    int first, step, count;
    pthread_t thread;
};

static char *make_token(struct session_signer *signer, int number) {
    char email[40];
    int n = snprintf(email, sizeof email, "user%d@example.com", number);
    int64_t now = clock_wall_us() / 1000000;
    struct identity id = {
        .user = uuid_v7(), .email = {email, (size_t)n}, .issued_s = now, .expires_s = now + LIVES_S};
    return session_sign(signer, &id);
}

static void *make_share(void *arg) {
    struct share *share = arg;
    for (int i = share->first; i < share->count; i += share->step)
        share->tokens[i] = make_token(share->signer, i + 1);
    return NULL;
}

/* Signing is all CPU, close to a millisecond each: a thread a core. */
static void make_tokens(struct session_signer *signer, char **tokens, int count) {
    static struct share shares[MAX_THREADS];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = cores < 1 ? 1 : cores > MAX_THREADS ? MAX_THREADS : (int)cores;
    for (int i = 0; i < threads; i++) {
        shares[i] =
            (struct share){.signer = signer, .tokens = tokens, .first = i, .step = threads, .count = count};
        if (pthread_create(&shares[i].thread, NULL, make_share, &shares[i]) != 0) abort();
    }
    for (int i = 0; i < threads; i++)
        pthread_join(shares[i].thread, NULL);
}

int main(int argc, char **argv) {
    char *end = NULL;
    long count = argc == 3 ? strtol(argv[2], &end, 10) : 0;
    if (argc != 3 || *end != '\0' || count < 1 || count > MAX_TOKENS) {
        fprintf(stderr, "usage: token KEYFILE N    (N from 1 to %d)\n", MAX_TOKENS);
        return 64;
    }
    struct why w;
    struct session_signer *signer = session_signer_open(argv[1], &w);
    if (signer == NULL) {
        fprintf(stderr, "token: %s\n", w.text);
        return 1;
    }
    char **tokens = mem_alloc((size_t)count * sizeof *tokens);
    make_tokens(signer, tokens, (int)count);
    for (long i = 0; i < count; i++) {
        puts(tokens[i]);
        free(tokens[i]);
    }
    free(tokens);
    session_signer_free(signer);
    return fflush(stdout) == 0 ? 0 : 1;
}
