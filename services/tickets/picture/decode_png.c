/* PNG, by libpng's first interface. Its simplified one (png_image_...) would be shorter, but wrote and read
 * beyond its buffers several times in 2025 (CVE-2025-64720, CVE-2025-65018, CVE-2025-66293). Declared in
 * decode.h. */
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "decode.h"

enum { CHUNK_MOST = 1024 * 1024, CHUNKS_MOST = 64 };

struct png_job {
    png_structp png;
    png_infop info;
    const char *at, *end;
    WebPPicture *out;
    enum picture_verdict verdict;
};

static void on_error(png_structp png, png_const_charp message) {
    (void)message;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep to, size_t n) {
    struct png_job *job = png_get_io_ptr(png);
    if (n > (size_t)(job->end - job->at)) png_error(png, "the end");
    memcpy(to, job->at, n);
    job->at += n;
}

/* Whatever is in the file: 4 bytes a pixel, as libwebp has them. Returns in how many passes they come. */
static int ask_for_pixels(struct png_job *job) {
    png_set_expand(job->png);
    png_set_scale_16(job->png);
    png_set_gray_to_rgb(job->png);
    png_set_add_alpha(job->png, 0xff, PNG_FILLER_AFTER);
    png_set_bgr(job->png);
    int passes = png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
    return passes;
}

/* May leave by on_error. */
static void read_png(struct png_job *job) {
    job->verdict = PICTURE_BROKEN;
    png_set_read_fn(job->png, job, read_bytes);
    png_set_user_limits(job->png, PICTURE_SIDE_MOST, PICTURE_SIDE_MOST);
    png_set_chunk_malloc_max(job->png, CHUNK_MOST);
    png_set_chunk_cache_max(job->png, CHUNKS_MOST);
    png_read_info(job->png, job->info);
    uint32_t width = png_get_image_width(job->png, job->info);
    uint32_t height = png_get_image_height(job->png, job->info);
    job->verdict = decode_check(width, height, PICTURE_PIXELS_MOST);
    if (job->verdict == PICTURE_DONE) job->verdict = decode_room(job->out, width, height);
    if (job->verdict != PICTURE_DONE) return;
    job->verdict = PICTURE_BROKEN;
    int passes = ask_for_pixels(job);
    if (png_get_rowbytes(job->png, job->info) != (size_t)width * 4) return;
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < height; y++)
            png_read_row(job->png, (png_bytep)(job->out->argb + (size_t)y * job->out->argb_stride), NULL);
    png_read_end(job->png, NULL);
    if (job->at == job->end) job->verdict = PICTURE_DONE; /* nothing of another kind is behind it */
}

static void try_to_read(struct png_job *job) {
    if (setjmp(png_jmpbuf(job->png)) == 0) read_png(job);
}

/* Sides beyond the limits are errors of libpng: told from others before it sees them. */
static bool has_long_side(struct str sent) {
    enum { SIDES = 16, SIDES_END = 24 }; /* of the first chunk */
    const unsigned char *p = (const unsigned char *)sent.p + SIDES;
    if (sent.n < SIDES_END) return false;
    return png_get_uint_32(p) > PICTURE_SIDE_MOST || png_get_uint_32(p + 4) > PICTURE_SIDE_MOST;
}

/* An APNG says so before its pixels. libpng passes over it, and would take its first picture for all. */
static bool moves(struct str sent) {
    enum { SIGNATURE = 8, AROUND = 12 }; /* of a chunk: length, name, sum */
    const unsigned char *p = (const unsigned char *)sent.p;
    for (size_t at = SIGNATURE; at + AROUND <= sent.n; at += AROUND + (size_t)png_get_uint_32(p + at)) {
        if (memcmp(p + at + 4, "acTL", 4) == 0) return true;
        if (memcmp(p + at + 4, "IDAT", 4) == 0) return false;
    }
    return false;
}

enum picture_verdict decode_png(struct str sent, WebPPicture *out) {
    struct png_job job = {.at = sent.p, .end = sent.p + sent.n, .out = out, .verdict = PICTURE_LIMITS};
    if (has_long_side(sent)) return PICTURE_LARGE;
    if (moves(sent)) return PICTURE_MOVES;
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    if (job.png != NULL) job.info = png_create_info_struct(job.png);
    if (job.info != NULL) try_to_read(&job);
    png_destroy_read_struct(&job.png, &job.info, NULL);
    return job.verdict;
}
