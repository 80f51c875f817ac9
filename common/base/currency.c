#include "currency.h"

/* The ariary and the ouguiya have fifths of a unit, which nobody uses. The ariary counts as having no minor
 * unit, as it does for payment providers. */
static const char without[][4] = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "MGA",
                                  "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"};
static const char thousandths[][4] = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};

static const char hundredths[][4] = {
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD",
    "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CUP",
    "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP",
    "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR",
    "KPW", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MKD", "MMK", "MNT", "MOP", "MRU",
    "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK",
    "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE",
    "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS",
    "UAH", "USD", "UYU", "UZS", "VES", "WST", "XCD", "YER", "ZAR", "ZMW"};

static bool is_among(struct str code, const char (*list)[4], size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(code, str_of(list[i]))) return true;
    return false;
}

#define IS_AMONG(code, list) is_among(code, list, sizeof(list) / sizeof *(list))

int currency_decimals(struct str code) {
    if (IS_AMONG(code, without)) return 0;
    return IS_AMONG(code, thousandths) ? 3 : 2;
}

bool currency_known(struct str code) {
    return IS_AMONG(code, hundredths) || IS_AMONG(code, without) || IS_AMONG(code, thousandths);
}
