#include "picture.h"

#include <string.h>

#include "decode.h"
#include "orientation.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "libwebp's ARGB are the bytes B, G, R, A");

enum { QUALITY = 78 };

/* --- upright --- */

/* Where the pixel of the upright picture is in the other one, by Exif's numbers: 2 mirrored, 3 upside down, 4
 * both, 5 to 8 the same for one that lies on its side. */
static uint32_t source_pixel(const WebPPicture *from, int orientation, int x, int y) {
    bool lies = orientation >= 5;
    int across = lies ? y : x, down = lies ? x : y;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    if (from_right) across = from->width - 1 - across;
    if (from_below) down = from->height - 1 - down;
    return from->argb[(size_t)down * from->argb_stride + across];
}

static enum picture_verdict turn(WebPPicture *picture, int orientation) {
    WebPPicture upright;
    if (orientation == 1) return PICTURE_DONE;
    bool lies = orientation >= 5;
    if (!WebPPictureInit(&upright)) return PICTURE_FAILED;
    int width = lies ? picture->height : picture->width, height = lies ? picture->width : picture->height;
    enum picture_verdict verdict = decode_room(&upright, (uint32_t)width, (uint32_t)height);
    for (int y = 0; y < height && verdict == PICTURE_DONE; y++)
        for (int x = 0; x < width; x++)
            upright.argb[(size_t)y * upright.argb_stride + x] = source_pixel(picture, orientation, x, y);
    WebPPictureFree(picture);
    *picture = upright;
    return verdict;
}

/* --- sizes --- */

static uint32_t height_for(const WebPPicture *picture, uint32_t width) {
    uint64_t twice = UINT64_C(2) * width * (uint32_t)picture->height / (uint32_t)picture->width;
    return twice < 2 ? 1 : (uint32_t)((twice + 1) / 2);
}

static bool encode(WebPPicture *picture, struct buf *out, uint32_t *bytes) {
    WebPConfig config;
    WebPMemoryWriter writer;
    if (!WebPConfigPreset(&config, WEBP_PRESET_PHOTO, QUALITY)) return false;
    WebPMemoryWriterInit(&writer);
    picture->writer = WebPMemoryWrite;
    picture->custom_ptr = &writer;
    bool done = WebPEncode(&config, picture) && writer.size < PICTURE_MADE_MOST - out->len;
    if (done) buf_add(out, writer.mem, writer.size);
    *bytes = (uint32_t)writer.size;
    WebPMemoryWriterClear(&writer);
    return done;
}

/* The widest first: each is made of the one before it. */
static bool encode_all(WebPPicture *picture, struct picture_made *made, struct buf *out) {
    struct buf files[PICTURE_SIZES] = {0};
    bool done = true;
    for (uint32_t i = made->count; i-- > 0 && done;) {
        uint32_t width = picture_widths[i], height = height_for(picture, width);
        made->sizes[i].height = height;
        done = WebPPictureRescale(picture, (int)width, (int)height) &&
               encode(picture, &files[i], &made->sizes[i].bytes);
    }
    for (uint32_t i = 0; i < made->count; i++) {
        buf_add(out, files[i].data, files[i].len);
        buf_free(&files[i]);
    }
    return done && out->len <= PICTURE_MADE_MOST;
}

/* Cut down first: what follows is then work for fewer pixels. */
static enum picture_verdict make(WebPPicture *picture, int orientation, struct picture_made *made,
                                 struct buf *out) {
    bool lies = orientation >= 5;
    uint32_t width = (uint32_t)(lies ? picture->height : picture->width);
    while (made->count < PICTURE_SIZES && picture_widths[made->count] <= width)
        made->count++;
    if (made->count == 0) return PICTURE_SMALL;
    int widest = (int)picture_widths[made->count - 1];
    if (!WebPPictureRescale(picture, lies ? 0 : widest, lies ? widest : 0)) return PICTURE_LIMITS;
    enum picture_verdict verdict = turn(picture, orientation);
    if (verdict != PICTURE_DONE) return verdict;
    WebPBlendAlpha(picture, 0xffffff); /* what can be seen through is white */
    if (!WebPPictureARGBToYUVA(picture, WEBP_YUV420)) return PICTURE_LIMITS;
    return encode_all(picture, made, out) ? PICTURE_DONE : PICTURE_LIMITS;
}

enum picture_verdict picture_make(struct str sent, struct picture_made *made, struct buf *out) {
    WebPPicture picture;
    *made = (struct picture_made){0};
    if (!WebPPictureInit(&picture)) return PICTURE_FAILED;
    enum picture_verdict verdict = decode_any(sent, &picture);
    if (verdict == PICTURE_DONE) verdict = make(&picture, orientation_of(sent), made, out);
    WebPPictureFree(&picture);
    return verdict;
}
