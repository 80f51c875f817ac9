#include "decode.h"

#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>
#include <webp/decode.h>

static bool begins(struct str sent, size_t at, const char *with, size_t n) {
    return sent.n >= at + n && memcmp(sent.p + at, with, n) == 0;
}

/* --- JPEG --- */

/* The smallest scale at which both sides are as long as the widest picture that is made, or else the whole.
 */
static tjscalingfactor scale_of(int width, int height) {
    int n, most = (int)picture_widths[PICTURE_SIZES - 1], shorter = width < height ? width : height;
    const tjscalingfactor *all = tjGetScalingFactors(&n);
    tjscalingfactor best = {1, 1};
    for (int i = 0; i < n; i++)
        if (TJSCALED(shorter, all[i]) >= most && all[i].num * best.denom < best.num * all[i].denom)
            best = all[i];
    return best;
}

/* A warning is an error: half a picture, or bytes of which none was meant to be a picture, have one. The
 * scans of a progressive JPEG are limited, since a small file can have millions. */
static enum picture_verdict read_jpeg(tjhandle tj, struct str sent, WebPPicture *out) {
    const unsigned char *bytes = (const unsigned char *)sent.p;
    int width, height, subsampling, colours;
    if (tjDecompressHeader3(tj, bytes, sent.n, &width, &height, &subsampling, &colours) != 0)
        return PICTURE_BROKEN;
    enum picture_verdict verdict = decode_check((uint32_t)width, (uint32_t)height, PICTURE_JPEG_PIXELS_MOST);
    if (verdict != PICTURE_DONE) return verdict;
    if (colours == TJCS_CMYK || colours == TJCS_YCCK) return PICTURE_COLOURS;
    tjscalingfactor scale = scale_of(width, height);
    width = TJSCALED(width, scale);
    height = TJSCALED(height, scale);
    verdict = decode_room(out, (uint32_t)width, (uint32_t)height);
    if (verdict != PICTURE_DONE) return verdict;
    int failed = tjDecompress2(tj, bytes, sent.n, (unsigned char *)out->argb, width, decode_stride(out),
                               height, TJPF_BGRA, TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING);
    return failed ? PICTURE_BROKEN : PICTURE_DONE;
}

enum picture_verdict decode_jpeg(struct str sent, WebPPicture *out) {
    tjhandle tj = tjInitDecompress();
    if (tj == NULL) return PICTURE_LIMITS;
    enum picture_verdict verdict = read_jpeg(tj, sent, out);
    tjDestroy(tj);
    return verdict;
}

/* --- WebP --- */

/* How long the file says that it is: the whole, in this format. */
static bool is_whole_riff(struct str sent) {
    const unsigned char *p = (const unsigned char *)sent.p;
    uint32_t size = p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24;
    return size + UINT64_C(8) == sent.n;
}

enum picture_verdict decode_webp(struct str sent, WebPPicture *out) {
    const uint8_t *bytes = (const uint8_t *)sent.p;
    WebPBitstreamFeatures features;
    if (!is_whole_riff(sent) || WebPGetFeatures(bytes, sent.n, &features) != VP8_STATUS_OK)
        return PICTURE_BROKEN;
    if (features.has_animation) return PICTURE_MOVES;
    uint32_t width = (uint32_t)features.width, height = (uint32_t)features.height;
    enum picture_verdict verdict = decode_check(width, height, PICTURE_PIXELS_MOST);
    if (verdict == PICTURE_DONE) verdict = decode_room(out, width, height);
    if (verdict != PICTURE_DONE) return verdict;
    size_t room = (size_t)decode_stride(out) * height;
    bool read = WebPDecodeBGRAInto(bytes, sent.n, (uint8_t *)out->argb, room, decode_stride(out)) != NULL;
    return read ? PICTURE_DONE : PICTURE_BROKEN;
}

/* --- any --- */

enum picture_verdict decode_any(struct str sent, WebPPicture *out) {
    if (begins(sent, 0, "\xff\xd8\xff", 3)) return decode_jpeg(sent, out);
    if (begins(sent, 0, "\x89PNG\r\n\x1a\n", 8)) return decode_png(sent, out);
    if (begins(sent, 0, "RIFF", 4) && begins(sent, 8, "WEBP", 4)) return decode_webp(sent, out);
    return PICTURE_UNKNOWN;
}
