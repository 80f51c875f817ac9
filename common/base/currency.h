/* currency: how many decimals a currency's minor unit stands for (ISO 4217). */
#pragma once

#include "str.h"

/* 2 for most, 0 for the yen and its like, 3 for the dinars. */
int currency_decimals(struct str code);
