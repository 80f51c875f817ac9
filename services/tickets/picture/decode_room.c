/* What all decoders begin with; declared in decode.h. */
#include "decode.h"

enum picture_verdict decode_check(uint32_t width, uint32_t height, uint32_t most) {
    if (width > PICTURE_SIDE_MOST || height > PICTURE_SIDE_MOST || width * height > most)
        return PICTURE_LARGE;
    bool small = width < PICTURE_WIDTH_LEAST || height < PICTURE_HEIGHT_LEAST;
    return small ? PICTURE_SMALL : PICTURE_DONE;
}

enum picture_verdict decode_room(WebPPicture *out, uint32_t width, uint32_t height) {
    out->use_argb = 1;
    out->width = (int)width;
    out->height = (int)height;
    return WebPPictureAlloc(out) ? PICTURE_DONE : PICTURE_LIMITS;
}
