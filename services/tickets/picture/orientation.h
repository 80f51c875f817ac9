/* orientation: how a camera was held, as a JPEG's Exif says: 1 (upright) to 8; 1 without one. No state. */
#pragma once

#include "str.h"

int orientation_of(struct str jpeg);
