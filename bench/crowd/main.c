/* crowd: the people of bench/onsale.py, who join a queue, come in, buy, give up and pay.
 *
 *     crowd join PORT SHOW TOKENS CONNECTIONS
 *     crowd buy PORT SHOW TOKENS CONNECTIONS BROKERS LOG GIVE_UP_S PAY_S SEATS DEADLINE_S
 *
 * PORT is the edge's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "buy.h"
#include "join.h"

static int64_t us_of(const char *seconds) {
    return (int64_t)(atof(seconds) * 1e6);
}

static void take_descriptors(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv) {
    bool buys = argc == 12 && strcmp(argv[1], "buy") == 0;
    if (!buys && (argc != 6 || strcmp(argv[1], "join") != 0)) {
        fprintf(stderr, "usage: see bench/crowd/main.c\n");
        return 64;
    }
    uint32_t count;
    take_descriptors();
    struct person *people = people_read(argv[4], &count);
    if (!buys) {
        join_all(atoi(argv[2]), argv[3], people, count, atoi(argv[5]));
        return 0;
    }
    const struct buy_options options = {.port = atoi(argv[2]),
                                        .show = argv[3],
                                        .connections = atoi(argv[5]),
                                        .brokers = argv[6],
                                        .log = argv[7],
                                        .give_up_us = us_of(argv[8]),
                                        .pay_us = us_of(argv[9]),
                                        .seats = (uint32_t)atol(argv[10]),
                                        .deadline_us = us_of(argv[11])};
    return buy_all(&options, people, count) ? 0 : 1;
}
