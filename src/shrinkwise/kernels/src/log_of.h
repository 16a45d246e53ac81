#ifndef SHRINKWISE_LOG_OF_H
#define SHRINKWISE_LOG_OF_H

#include <stdint.h>

#include "common.h"

/* log x for normal x > 0: exponent and mantissa m in [sqrt(1/2), sqrt(2)), log m = 2 artanh s with s = (m - 1)/(m + 1) <= 0.172,
 * whose series ends where its terms are below the rounding. */
SW_INLINE double log_of(double x)
{
    union {
        double real;
        int64_t bits;
    } from, mantissa, exponent;
    from.real = x;
    /* the bits from those of sqrt(1/2) on, so that the exponent changes there */
    const int64_t above = from.bits - 0x3fe6a09e667f3bcdLL;
    mantissa.bits = (above & 0x000fffffffffffffLL) + 0x3fe6a09e667f3bcdLL;
    /* above >> 52, as a number, by way of its place in the bits of 1.5 * 2^52; biased so that the shift is of no negative number */
    exponent.bits = (int64_t)(((uint64_t)above + ((uint64_t)2048 << 52)) >> 52) + 0x4338000000000000LL;
    const double s = (mantissa.real - 1.0) / (mantissa.real + 1.0), z = s * s;
    const double k = exponent.real - (6755399441055744.0 + 2048.0);
    const double series = z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13
                          + z * (1.0 / 15 + z * (1.0 / 17 + z * (1.0 / 19 + z * (1.0 / 21))))))))));
    return k * 6.93147180369123816490e-01 + (2.0 * s + (2.0 * s * series + k * 1.90821492927058770002e-10));
}

#endif
