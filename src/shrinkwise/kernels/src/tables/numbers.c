/* Delimited text of plain decimal numbers as columns of float64, each the nearest double to what is written. */
#include <string.h>

#include "../common.h"

/* Powers of five in 128 bits, of which the first has the exponent `least`: high and low words, the highest bit set, cut off. */
struct powers {
    const uint64_t *words;
    int64_t least, most;
};

struct product {
    uint64_t high, low;
};

SW_INLINE struct product multiplied(uint64_t a, uint64_t b)
{
#if defined(__SIZEOF_INT128__)
    unsigned __int128 whole = (unsigned __int128)a * b;
    return (struct product){(uint64_t)(whole >> 64), (uint64_t)whole};
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, one = a1 * b0 + (low >> 32), two = a0 * b1 + (uint32_t)one;
    return (struct product){a1 * b1 + (one >> 32) + (two >> 32), two << 32 | (uint32_t)low};
#endif
}

SW_INLINE int leading_zeros(uint64_t value)
{
#if defined(__GNUC__)
    return __builtin_clzll(value);
#else
    int found = 0;
    for (; !(value >> 63); value <<= 1)
        found++;
    return found;
#endif
}

/* The double nearest to digits · 10^exponent; 0 if the 128 bits of the power do not decide it.
 *
 * U, the upper 128 bits of (digits, shifted to the top) · power, is less than the true product by less than 2, because the power
 * is cut off by less than 1 and the shifted digits are less than 2^64 (Lemire, Number parsing at a gigabyte per second,
 * Software: Practice and Experience 2021, doi 10.1002/spe.2984). So the 53 bits are known unless what follows them is within 2
 * of a half. */
SW_INLINE int nearest(uint64_t digits, int64_t exponent, struct powers powers, double *out)
{
    if (!digits) {
        *out = 0.0;
        return 1;
    }
    if (exponent < powers.least || exponent > powers.most)
        return 0;
    const uint64_t *power = powers.words + 2 * (exponent - powers.least);
    int shift = leading_zeros(digits);
    struct product upper = multiplied(digits << shift, power[0]), lower = multiplied(digits << shift, power[1]);
    uint64_t low = upper.low + lower.high, high = upper.high + (low < upper.low);
    int top = (int)(high >> 63), cut = 10 + top; /* bits of `high` below the 53 */
    uint64_t rest = high & (((uint64_t)1 << cut) - 1), half = (uint64_t)1 << (cut - 1), mantissa = high >> cut;
    if ((rest == half && low == 0) || (rest == half - 1 && low >= UINT64_MAX - 1))
        return 0;
    mantissa += rest >= half;
    /* The binary exponent of 5^q is ⌊q log₂ 5⌋; 217706/2^16 is log₂ 10 to more than is needed here. */
    int64_t five = (exponent * 217706 >> 16) - exponent;
    int64_t biased = five + exponent + 1 - shift + 63 + top - 1 + 1023;
    if (mantissa >> 53) {
        mantissa >>= 1;
        biased++;
    }
    uint64_t bits = (uint64_t)biased << 52 | (mantissa & (((uint64_t)1 << 52) - 1));
    memcpy(out, &bits, sizeof bits);
    return 1;
}

SW_INLINE unsigned digit(const char *at) { return (unsigned)(unsigned char)*at - '0'; }

#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* The number that eight digits 0 to 9, the first in the lowest byte, are: neighbours are joined to two, four and eight digits. */
SW_INLINE uint64_t joined(uint64_t each)
{
    const uint64_t pairs = 0x000000FF000000FFu;
    each = each * 10 + (each >> 8);
    return ((each & pairs) * (100 + ((uint64_t)1000000 << 32)) + (each >> 16 & pairs) * (1 + ((uint64_t)10000 << 32))) >> 32;
}
#define EIGHT_AT_ONCE 1
#endif

/* The digits from `at` on, appended to *digits; the first other character. */
SW_INLINE const char *read_digits(const char *at, const char *end, uint64_t *digits)
{
#if defined(EIGHT_AT_ONCE)
    static const uint64_t ten[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    while (end - at >= 8) {
        uint64_t chunk;
        memcpy(&chunk, at, 8);
        uint64_t each = chunk - 0x3030303030303030u;
        uint64_t others = ((chunk + 0x4646464646464646u) | each) & 0x8080808080808080u; /* right up to the first of them */
        if (others) {
            int n = __builtin_ctzll(others) / 8;
            if (n)
                *digits = *digits * ten[n] + joined(each << (64 - 8 * n));
            return at + n;
        }
        *digits = *digits * 100000000 + joined(each);
        at += 8;
    }
#endif
    for (; at < end && digit(at) < 10; at++)
        *digits = *digits * 10 + digit(at);
    return at;
}

/* The number -ddd.ddde±dd from `at` on, each part but the first digits optional; the character after it, or NULL where it is
 * not such a number, has more than 19 digits, or is between two doubles too closely. */
SW_INLINE const char *number(const char *at, const char *end, struct powers powers, double *out)
{
    int negative = at < end && *at == '-';
    at += negative;
    const char *first = at;
    uint64_t digits = 0;
    at = read_digits(at, end, &digits);
    int64_t n = at - first, exponent = 0;
    if (!n)
        return NULL;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = read_digits(at, end, &digits);
        exponent = fraction - at;
        if (!exponent)
            return NULL;
        n -= exponent;
    }
    for (; n > 19 && (*first == '0' || *first == '.'); first++) /* zeros before the first other digit do not count */
        n -= *first == '0';
    if (n > 19)
        return NULL;
    if (at < end && (*at | 32) == 'e') {
        at++;
        int down = at < end && *at == '-';
        at += down || (at < end && *at == '+');
        const char *written = at;
        int64_t power = 0;
        for (; at < end && digit(at) < 10 && at - written < 4; at++)
            power = 10 * power + digit(at);
        if (at == written)
            return NULL;
        exponent += down ? -power : power;
    }
    if (!nearest(digits, exponent, powers, out))
        return NULL;
    if (negative)
        *out = -*out;
    return at;
}

/* The rows of text (size bytes) with `columns` fields each, into out (places, capacity): field j is row wanted[j] of it, or is
 * passed over where that is −1. An empty field is NaN, and counted in gaps[wanted[j]]. powers: as above.
 * Returns the number of rows; −1 where a wanted field is not a plain number, or a row has another number of fields. */
SW_EXPORT int64_t sw_numbers_of_text(const char *text, int64_t size, int64_t delimiter, int64_t columns, const int64_t *wanted,
                                     const uint64_t *words, int64_t least, int64_t most, double *out, int64_t capacity,
                                     int64_t *gaps)
{
    const char *at = text, *end = text + size;
    struct powers powers = {words, least, most};
    char between = (char)delimiter;
    int64_t row = 0;
    for (; at < end; row++) {
        if (row == capacity)
            return -1;
        for (int64_t j = 0; j < columns; j++) {
            int64_t place = wanted[j];
            if (place < 0) {
                while (at < end && *at != between && *at != '\n' && *at != '\r')
                    at++;
            } else if (at < end && *at != between && *at != '\n' && *at != '\r') {
                at = number(at, end, powers, out + place * capacity + row);
                if (!at)
                    return -1;
            } else {
                if (columns == 1)
                    return -1; /* a blank line, or a missing value */
                const uint64_t missing = 0x7FF8000000000000u;
                memcpy(out + place * capacity + row, &missing, sizeof missing);
                gaps[place]++;
            }
            if (j < columns - 1) {
                if (at == end || *at != between)
                    return -1;
                at++;
            }
        }
        if (at < end && *at == '\r')
            at++;
        if (at < end && *at++ != '\n')
            return -1;
    }
    return row;
}
