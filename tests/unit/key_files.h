/* key_files: files of two keys, as admission_keys_open reads them. Behind cmocka.h. */
#pragma once

#include "admission.h"
#include "write_file.h"

#define ONE "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define TWO "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0"

static struct admission_keys *keys_of(const char *paths) {
    struct why w;
    struct admission_keys *keys = admission_keys_open(paths, &w);
    if (keys == NULL) fail_msg("%s", w.text);
    return keys;
}
