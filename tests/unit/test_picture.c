/* picture: what is made of pictures, and what is refused. The files are made here, by the same libraries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <turbojpeg.h>
#include <unistd.h>
#include <webp/decode.h>
#include <webp/encode.h>

#include "orientation.h"
#include "picture.h"
#include "sandbox.h"

/* The left half is red and the right half is blue; the upper half is brighter. */
static uint8_t *pixels(int width, int height) {
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3), *p = rgb;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t bright = y < height / 2 ? 250 : 120;
            *p++ = x < width / 2 ? bright : 0;
            *p++ = 0;
            *p++ = x < width / 2 ? 0 : bright;
        }
    return rgb;
}

static struct buf jpeg(int width, int height, int flags) {
    struct buf out = {0};
    unsigned char *bytes = NULL;
    unsigned long n = 0;
    uint8_t *rgb = pixels(width, height);
    tjhandle tj = tjInitCompress();
    assert_int_equal(tjCompress2(tj, rgb, width, 0, height, TJPF_RGB, &bytes, &n, TJSAMP_444, 90, flags), 0);
    buf_add(&out, bytes, n);
    tjFree(bytes);
    tjDestroy(tj);
    free(rgb);
    return out;
}

static struct buf cmyk_jpeg(int width, int height) {
    struct buf out = {0};
    unsigned char *bytes = NULL, *cmyk = calloc((size_t)width * (size_t)height, 4);
    unsigned long n = 0;
    tjhandle tj = tjInitCompress();
    assert_int_equal(tjCompress2(tj, cmyk, width, 0, height, TJPF_CMYK, &bytes, &n, TJSAMP_444, 90, 0), 0);
    buf_add(&out, bytes, n);
    tjFree(bytes);
    tjDestroy(tj);
    free(cmyk);
    return out;
}

static struct buf png(int width, int height, uint32_t format) {
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = (uint32_t)width, .height = (uint32_t)height, .format = format};
    struct buf out = {0};
    png_alloc_size_t n = 0;
    uint8_t *bytes = calloc(1, PNG_IMAGE_SIZE(image));
    uint8_t *rgb = format == PNG_FORMAT_RGB ? pixels(width, height) : NULL;
    const void *from = rgb == NULL ? bytes : rgb;
    assert_true(png_image_write_to_memory(&image, NULL, &n, 0, from, 0, NULL));
    buf_reserve(&out, n);
    assert_true(png_image_write_to_memory(&image, out.data, &n, 0, from, 0, NULL));
    out.len = n;
    free(bytes);
    free(rgb);
    return out;
}

static struct buf webp(int width, int height) {
    struct buf out = {0};
    uint8_t *bytes = NULL, *rgb = pixels(width, height);
    size_t n = WebPEncodeRGB(rgb, width, height, width * 3, 90, &bytes);
    buf_add(&out, bytes, n);
    WebPFree(bytes);
    free(rgb);
    return out;
}

static enum picture_verdict verdict_of(struct str sent) {
    struct picture_made made;
    struct buf out = {0};
    char *copy = malloc(sent.n + 1); /* of its own, so that reading beyond it is seen */
    memcpy(copy, sent.p, sent.n);
    enum picture_verdict verdict = picture_make((struct str){copy, sent.n}, &made, &out);
    buf_free(&out);
    free(copy);
    return verdict;
}

/* Takes the file. */
static void refused(struct buf file, enum picture_verdict wanted) {
    assert_int_equal(verdict_of(buf_str(&file)), wanted);
    buf_free(&file);
}

/* Whether a place of the smallest picture (in hundredths) has this colour, about. */
static void looks(const struct buf *out, const struct picture_made *made, int x, int y, int red, int blue) {
    int width, height;
    uint8_t *rgb = WebPDecodeRGB(out->data, made->sizes[0].bytes, &width, &height);
    assert_non_null(rgb);
    assert_int_equal(width, 320);
    assert_int_equal(height, made->sizes[0].height);
    const uint8_t *p = rgb + 3 * ((size_t)(y * height / 100) * (size_t)width + (size_t)(x * width / 100));
    assert_in_range(p[0], red < 25 ? 0 : red - 25, red + 25);
    assert_in_range(p[2], blue < 25 ? 0 : blue - 25, blue + 25);
    WebPFree(rgb);
}

static void made_of(struct buf file, uint32_t sizes, uint32_t height) {
    struct picture_made made;
    struct buf out = {0};
    assert_int_equal(picture_make(buf_str(&file), &made, &out), PICTURE_DONE);
    assert_int_equal(made.count, sizes);
    assert_int_equal(made.sizes[0].height, height);
    size_t all = 0;
    for (uint32_t i = 0; i < sizes; i++) {
        int width, its_height;
        assert_true(WebPGetInfo(out.data + all, made.sizes[i].bytes, &width, &its_height));
        assert_int_equal(width, picture_widths[i]);
        assert_int_equal(its_height, made.sizes[i].height);
        all += made.sizes[i].bytes;
    }
    assert_int_equal(all, out.len);
    looks(&out, &made, 10, 10, 250, 0);
    looks(&out, &made, 90, 90, 0, 120);
    buf_free(&out);
    buf_free(&file);
}

static void three_kinds_are_made_into_their_widths(void **state) {
    (void)state;
    made_of(jpeg(1600, 900, 0), 3, 180);
    made_of(jpeg(1600, 900, TJFLAG_PROGRESSIVE), 3, 180);
    made_of(jpeg(6000, 3000, 0), 3, 160);
    made_of(png(640, 640, PNG_FORMAT_RGB), 2, 320);
    made_of(webp(320, 180), 1, 180);
}

/* A JPEG with an Exif of one entry behind its first marker. */
static struct buf held(struct buf upright, int orientation, bool little) {
    uint8_t exif[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i',  'f', 0, 0, 'M', 'M', 0, 42, 0,
                      0,    0,    8, 0,  1,   1,   0x12, 0,   3, 0, 0,   0,   1, 0,  (uint8_t)orientation,
                      0,    0,    0, 0,  0,   0};
    static const uint8_t little_exif[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0};
    if (little) {
        memcpy(exif + 10, little_exif, sizeof little_exif);
        exif[28] = (uint8_t)orientation;
        exif[29] = 0;
    }
    struct buf out = {0};
    buf_add(&out, upright.data, 2);
    buf_add(&out, exif, sizeof exif);
    buf_add(&out, upright.data + 2, upright.len - 2);
    buf_free(&upright);
    return out;
}

/* Where red and bright is (its upper left corner, when it is upright), by how the camera was held. */
static void a_picture_is_turned_upright(void **state) {
    (void)state;
    static const int corners[8][2] = {{10, 10}, {90, 10}, {90, 90}, {10, 90},
                                      {10, 10}, {90, 10}, {90, 90}, {10, 90}};
    for (int orientation = 1; orientation <= 8; orientation++) {
        struct buf file = held(jpeg(800, 400, 0), orientation, orientation % 2 == 0), out = {0};
        struct picture_made made;
        assert_int_equal(orientation_of(buf_str(&file)), orientation);
        assert_int_equal(picture_make(buf_str(&file), &made, &out), PICTURE_DONE);
        assert_int_equal(made.sizes[0].height, orientation < 5 ? 160 : 640);
        looks(&out, &made, corners[orientation - 1][0], corners[orientation - 1][1], 250, 0);
        buf_free(&file);
        buf_free(&out);
    }
}

static void what_can_be_seen_through_is_white(void **state) {
    (void)state;
    struct buf file = png(400, 300, PNG_FORMAT_RGBA), out = {0};
    struct picture_made made;
    assert_int_equal(picture_make(buf_str(&file), &made, &out), PICTURE_DONE);
    looks(&out, &made, 50, 50, 255, 255);
    buf_free(&file);
    buf_free(&out);
}

static void what_is_no_picture_is_refused(void **state) {
    (void)state;
    static const char *const others[] = {"",         "GIF89a", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
                                         "%PDF-1.7", "<html>", "RIFF\4\0\0\0WAVE",
                                         "\xff\xd8", "BM"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(verdict_of(str_of(others[i])), PICTURE_UNKNOWN);
    refused(png(319, 400, PNG_FORMAT_RGB), PICTURE_SMALL);
    refused(jpeg(400, 179, 0), PICTURE_SMALL);
    refused(held(jpeg(400, 200, 0), 6, false), PICTURE_SMALL); /* 200 pixels wide when it is upright */
    refused(cmyk_jpeg(400, 300), PICTURE_COLOURS);
}

/* Each cut off somewhere. */
static void half_a_picture_is_refused(void **state) {
    (void)state;
    struct buf files[] = {jpeg(640, 480, 0), jpeg(640, 480, TJFLAG_PROGRESSIVE),
                          png(640, 480, PNG_FORMAT_RGB), webp(640, 480)};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        for (size_t n = 12; n < files[i].len - 2; n += files[i].len / 40 + 1)
            assert_int_not_equal(verdict_of((struct str){(char *)files[i].data, n}), PICTURE_DONE);
        buf_free(&files[i]);
    }
}

static void put_long(struct buf *b, size_t at, uint32_t v) {
    for (int i = 0; i < 4; i++)
        b->data[at + (size_t)i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Its second chunk is as long as would lead back to its own beginning. */
static void a_chunk_without_end_is_refused(void **state) {
    (void)state;
    enum { SECOND = 8 + 25 };
    struct buf file = png(640, 480, PNG_FORMAT_RGB);
    put_long(&file, SECOND, UINT32_MAX - 11);
    refused(file, PICTURE_BROKEN);
}

/* A small file that says it has millions of pixels. (Of a PNG the checksum has to fit, too.) */
static void too_many_pixels_are_refused_before_they_are_read(void **state) {
    (void)state;
    refused(png(16001, 200, PNG_FORMAT_GRAY), PICTURE_LARGE);
    refused(png(5001, 5001, PNG_FORMAT_GRAY), PICTURE_LARGE);
    struct buf file = jpeg(640, 480, 0);
    uint8_t *frame = memmem(file.data, file.len, "\xff\xc0", 2);
    put_long(&file, (size_t)(frame - file.data) + 5, UINT32_C(16000) << 16 | 16000);
    refused(file, PICTURE_LARGE);
}

/* A picture to one program and something else to another. */
static void what_has_more_behind_its_end_is_refused(void **state) {
    (void)state;
    static const char zip[] = "PK\3\4<script>alert(1)</script>";
    struct buf files[] = {png(640, 480, PNG_FORMAT_RGB), webp(640, 480)};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        buf_add(&files[i], zip, sizeof zip);
        refused(files[i], PICTURE_BROKEN);
    }
}

/* Cameras put things behind a JPEG's end, and into it: nothing of that comes out. */
static void nothing_but_pixels_comes_out(void **state) {
    (void)state;
    static const char comment[] = "\xff\xfe\0\x1b<script>alert(1)</script>";
    struct buf plain = jpeg(640, 480, 0), file = {0}, out = {0};
    struct picture_made made;
    buf_add(&file, plain.data, 2);
    buf_add(&file, comment, sizeof comment - 1);
    buf_add(&file, plain.data + 2, plain.len - 2);
    buf_add(&file, comment, sizeof comment - 1);
    assert_int_equal(picture_make(buf_str(&file), &made, &out), PICTURE_DONE);
    assert_null(memmem(out.data, out.len, "script", 6));
    buf_free(&plain);
    buf_free(&file);
    buf_free(&out);
}

/* Whoever takes the program over has no other file to write to. */
static void it_writes_to_its_output_alone(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* calls are not limited in these builds */
#endif
    int status, files[2];
    assert_return_code(pipe(files), errno);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(files[1], STDOUT_FILENO);
        bool limited = sandbox_enter() && write(STDOUT_FILENO, "x", 1) == 1;
        _exit(limited && write(STDERR_FILENO, "x", 1) < 0 && write(files[1], "x", 1) < 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(files[0]);
    close(files[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_kinds_are_made_into_their_widths),
        cmocka_unit_test(a_picture_is_turned_upright),
        cmocka_unit_test(what_can_be_seen_through_is_white),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(half_a_picture_is_refused),
        cmocka_unit_test(a_chunk_without_end_is_refused),
        cmocka_unit_test(too_many_pixels_are_refused_before_they_are_read),
        cmocka_unit_test(what_has_more_behind_its_end_is_refused),
        cmocka_unit_test(nothing_but_pixels_comes_out),
        cmocka_unit_test(it_writes_to_its_output_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
