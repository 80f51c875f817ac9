/* key_files: files of two keys, as admission_keys_open reads them. Behind cmocka.h. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admission.h"

#define ONE "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define TWO "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0"

/* Makes the file, and says its path. */
static void write_file(char path[32], const char *text) {
    snprintf(path, 32, "/tmp/onsale-keys-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static struct admission_keys *keys_of(const char *paths) {
    struct why w;
    struct admission_keys *keys = admission_keys_open(paths, &w);
    if (keys == NULL) fail_msg("%s", w.text);
    return keys;
}
