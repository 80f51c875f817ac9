/* picture: the program that `tickets` starts for each picture that somebody sends (pictures.h,
 * picture_wire.h). It knows nothing but the bytes it is given. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "picture.h"
#include "sandbox.h"

static bool write_all(const void *bytes, size_t n) {
    for (const char *p = bytes; n > 0;) {
        ssize_t written = write(STDOUT_FILENO, p, n);
        if (written <= 0) return false;
        p += written;
        n -= (size_t)written;
    }
    return true;
}

int main(void) {
    struct stat input;
    if (fstat(STDIN_FILENO, &input) != 0 || input.st_size < 1 || input.st_size > PICTURE_SENT_MOST)
        return PICTURE_FAILED;
    void *sent = mmap(NULL, (size_t)input.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    if (sent == MAP_FAILED || !sandbox_enter()) return PICTURE_FAILED;
    struct picture_made made;
    struct buf pictures = {0};
    enum picture_verdict verdict = picture_make((struct str){sent, (size_t)input.st_size}, &made, &pictures);
    if (verdict == PICTURE_DONE && !(write_all(&made, sizeof made) && write_all(pictures.data, pictures.len)))
        verdict = PICTURE_FAILED;
    _exit(verdict);
}
