/* write_file: a file of a test's own. Behind cmocka.h. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Makes the file, and says its path. */
static void write_file(char path[32], const char *text) {
    snprintf(path, 32, "/tmp/onsale-keys-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}
