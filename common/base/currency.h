/* currency: how many decimals a currency's minor unit stands for (ISO 4217). */
#pragma once

#include <stdbool.h>

#include "str.h"

/* 2 for most, 0 for the yen and its like, 3 for the dinars. */
int currency_decimals(struct str code);
/* It is one of ISO 4217 that people pay in. */
bool currency_known(struct str code);
