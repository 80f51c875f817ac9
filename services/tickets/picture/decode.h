/* decode: pixels out of files, for picture.c. An unknown kind is told by the first bytes, whatever anybody
 * says that it is. */
#pragma once

#include <webp/encode.h>

#include "picture.h"

/* The pixels as ARGB, upright or not. The caller frees *out (WebPPictureFree), whatever the verdict. */
enum picture_verdict decode_any(struct str sent, WebPPicture *out);
enum picture_verdict decode_jpeg(struct str sent, WebPPicture *out);
enum picture_verdict decode_png(struct str sent, WebPPicture *out);
enum picture_verdict decode_webp(struct str sent, WebPPicture *out);

/* Makes room for width * height pixels, if they are not too many or too few. */
enum picture_verdict decode_room(WebPPicture *out, uint32_t width, uint32_t height);
enum picture_verdict decode_check(uint32_t width, uint32_t height, uint32_t most);
/* The rows are this many bytes apart. */
static inline int decode_stride(const WebPPicture *out) {
    return out->argb_stride * 4;
}
