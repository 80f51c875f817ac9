#include "currency.h"

/* The ariary and the ouguiya have fifths of a unit, which nobody uses. The ariary counts as having no minor
 * unit, as it does for payment providers. */
static const char without[][4] = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "MGA",
                                  "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"};
static const char thousandths[][4] = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};

static bool is_among(struct str code, const char (*list)[4], size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(code, str_of(list[i]))) return true;
    return false;
}

int currency_decimals(struct str code) {
    if (is_among(code, without, sizeof without / sizeof *without)) return 0;
    return is_among(code, thousandths, sizeof thousandths / sizeof *thousandths) ? 3 : 2;
}
