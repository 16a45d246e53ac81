/* Proximal maps that join neighbours, in a given or in a sorted order: total variation, and the sorted L1 norm.
 *
 * Total variation: Johnson, A dynamic programming algorithm for the fused lasso and L0-segmentation, JCGS 2013. The best cost of
 * the entries up to k as a function of entry k has an increasing piecewise linear derivative; its corners lie in one array, of
 * which both ends are taken off and put on. O(n).
 *
 * Sorted L1: entries that are not zero for sure in descending order by a radix sort of their bits, then pooling of adjacent
 * violators. O(n).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../common.h"

typedef struct {
    double at, slope, intercept; /* where, and by how much the line changes there */
} corner;

typedef struct {
    double at, slope, intercept; /* where a level is reached, and the line there */
} reached;

static reached from_left(const corner *k, int64_t *first, int64_t last, double slope, double intercept, double level)
{
    double at = -INFINITY;
    while (*first <= last && slope * k[*first].at + intercept <= level) {
        at = k[*first].at;
        slope += k[*first].slope;
        intercept += k[*first].intercept;
        ++*first;
    }
    const double crossing = (level - intercept) / slope;
    return (reached){at > crossing ? at : crossing, slope, intercept};
}

static reached from_right(const corner *k, int64_t first, int64_t *last, double slope, double intercept, double level)
{
    double at = INFINITY;
    while (first <= *last && slope * k[*last].at + intercept >= level) {
        at = k[*last].at;
        slope -= k[*last].slope;
        intercept -= k[*last].intercept;
        --*last;
    }
    const double crossing = (level - intercept) / slope;
    return (reached){at < crossing ? at : crossing, slope, intercept};
}

/* out = argmin_x sum (x_i - y_i)^2 / (2 steps_i) + c sum |x_{i+1} - x_i|; steps NULL: ones; a step 0 fixes its entry.
 * n >= 1, c > 0. Returns 0, or 1 where memory is missing. */
SW_EXPORT int64_t sw_total_variation(int64_t n, const double *y, const double *steps, double c, double *out)
{
    corner *k = malloc((size_t)(2 * n + 2) * sizeof *k);
    double *bounds = malloc((size_t)(2 * n) * sizeof *bounds);
    if (!k || !bounds) {
        free(k);
        free(bounds);
        return 1;
    }
    int64_t first = n + 1, last = n; /* none yet; each entry puts at most one on either end */
    double end = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double low, high;
        if (steps && !(steps[i] > 0.0)) {
            low = high = y[i];
            first = last = n;
            k[n] = (corner){y[i], 0.0, 2.0 * c};
        } else {
            const double weight = steps ? 1.0 / steps[i] : 1.0;
            const int at_end = i == n - 1;
            const double level = at_end ? 0.0 : c;
            int64_t left = first, right = last;
            const reached l = from_left(k, &left, last, weight, -weight * y[i] - end, -level);
            if (!at_end)
                first = left; /* the other side starts where this one stopped */
            const reached r = from_right(k, first, &right, weight, -weight * y[i] + end, level);
            last = right;
            low = l.at;
            high = r.at;
            if (!at_end) {
                k[--first] = (corner){low, l.slope, l.intercept + c};
                k[++last] = (corner){high, -r.slope, c - r.intercept};
            }
        }
        bounds[2 * i] = low;
        bounds[2 * i + 1] = high;
        end = c;
    }
    double x = 0.5 * (bounds[2 * n - 2] + bounds[2 * n - 1]);
    out[n - 1] = x;
    for (int64_t i = n - 2; i >= 0; i--) {
        x = x > bounds[2 * i] ? x : bounds[2 * i];
        x = x < bounds[2 * i + 1] ? x : bounds[2 * i + 1];
        out[i] = x;
    }
    free(k);
    free(bounds);
    return 0;
}

/* An entry in one word: its place in the lower half, above it its sign, and in the upper bits a key, small for large numbers. */
enum { SIGN = 32, KEY = 33, MOST_DIGIT = 12, FEW = 32 };

/* Unsigned integers in the order of the numbers. */
static uint64_t ordered(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

typedef struct {
    const double *x;
    int64_t sizes;
} numbers;

SW_INLINE double number(numbers of, uint64_t word)
{
    const double x = of.x[(uint32_t)word];
    return of.sizes ? fabs(x) : x + 0.0; /* one zero */
}

static void by_insertion(uint64_t *a, int64_t n, numbers of)
{
    for (int64_t i = 1; i < n; i++) {
        const uint64_t word = a[i];
        const double here = number(of, word);
        int64_t j = i;
        for (; j > 0 && number(of, a[j - 1]) < here; j--)
            a[j] = a[j - 1];
        a[j] = word;
    }
}

/* One pass of a radix sort; count: entries of each digit, which become the places behind the last entries. */
static void by_digit(const uint64_t *a, uint64_t *b, int64_t n, int shift, int digit, uint32_t *count)
{
    const uint64_t last = (UINT64_C(1) << digit) - 1;
    uint32_t total = 0;
    for (uint64_t j = 0; j <= last; j++) {
        const uint32_t here = count[j];
        count[j] = total;
        total += here;
    }
    for (int64_t i = 0; i < n; i++)
        b[count[(a[i] >> shift) & last]++] = a[i];
}

/* Sorts a into descending order of the numbers. Between the smallest and the largest of their bits, read as integers, some 20
 * equal steps for each entry are told apart by the key, which is sorted by two digits. The few that share a key are sorted by
 * insertion, more than FEW by this function: each time the step is at least 16 times n smaller, and in the end a single number.
 * b: n words of scratch; count: 2 digits. */
static void sort(uint64_t *a, uint64_t *b, int64_t n, numbers of, uint32_t *count)
{
    if (n <= FEW) {
        by_insertion(a, n, of);
        return;
    }
    uint64_t low = UINT64_MAX, high = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t bits = ordered(number(of, a[i]));
        low = bits < low ? bits : low;
        high = bits > high ? bits : high;
    }
    if (low == high)
        return;
    int digit = 4, shift = 0;
    while (digit < MOST_DIGIT && (INT64_C(1) << (2 * digit)) < 16 * n)
        digit++;
    while ((high - low) >> shift >> (2 * digit))
        shift++;
    const uint64_t buckets = UINT64_C(1) << digit;
    memset(count, 0, 2 * buckets * sizeof *count);
    for (int64_t i = 0; i < n; i++) {
        const uint64_t key = (high - ordered(number(of, a[i]))) >> shift;
        a[i] = key << KEY | (a[i] & ((UINT64_C(1) << KEY) - 1));
        count[key & (buckets - 1)]++;
        count[buckets + (key >> digit)]++;
    }
    by_digit(a, b, n, KEY, digit, count);
    by_digit(b, a, n, KEY + digit, digit, count + buckets);
    for (int64_t i = 0, end; i < n && shift > 0; i = end) {
        for (end = i + 1; end < n && a[end] >> KEY == a[i] >> KEY;)
            end++;
        if (end > i + 1)
            sort(a + i, b + i, end - i, of, count);
    }
}

/* Lists the entries that can end above 0; out is 0 with the sign of x. The last of m sizes in descending order end at 0 where
 * they are at most c_m, the least of their factors: none of their differences is positive, and none raises a mean of others. */
static int64_t candidates(int64_t n, numbers of, const double *c, uint64_t *a, double *out)
{
    int64_t m = 0, before = n;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t negative = of.sizes && signbit(of.x[i]);
        out[i] = negative ? -0.0 : 0.0;
        a[m] = negative << SIGN | (uint64_t)i;
        m += !of.sizes || fabs(of.x[i]) > c[n - 1];
    }
    while (of.sizes && m > 0 && m < before - before / 16) { /* fewer entries have larger factors */
        before = m;
        m = 0;
        for (int64_t i = 0; i < before; i++) {
            a[m] = a[i];
            m += number(of, a[i]) > c[before - 1];
        }
    }
    return m;
}

/* out = argmin_u 1/2 |u - x|^2 + sum c_i u_(i), or with `sizes` sum c_i |u|_(i), in descending order, c descending; x finite,
 * 1 <= n < 2^32. Returns 0, or 1 where memory is missing. */
SW_EXPORT int64_t sw_sorted_prox(int64_t n, const double *x, const double *c, int64_t sizes, double *out)
{
    const numbers of = {x, sizes};
    uint64_t *const a = malloc((size_t)n * sizeof *a), *const b = malloc((size_t)n * sizeof *b);
    uint32_t *const counts = malloc(((size_t)n > 2u << MOST_DIGIT ? (size_t)n : 2u << MOST_DIGIT) * sizeof *counts);
    if (!a || !b || !counts) {
        free(a);
        free(b);
        free(counts);
        return 1;
    }
    const int64_t m = candidates(n, of, c, a, out);
    sort(a, b, m, of, counts);
    double *const sums = (double *)b; /* of the blocks so far, which are no more than the entries read */
    for (int64_t i = 0; i < m; i++)
        sums[i] = number(of, a[i]) - c[i];
    int64_t blocks = 0;
    for (int64_t i = 0; i < m; i++) {
        double sum = sums[i];
        uint32_t count = 1;
        /* by products, for a division waits longer: the mean of the block above <= the mean here */
        for (; blocks > 0 && sums[blocks - 1] * (double)count <= sum * (double)counts[blocks - 1]; blocks--) {
            sum += sums[blocks - 1];
            count += counts[blocks - 1];
        }
        sums[blocks] = sum;
        counts[blocks++] = count;
    }
    for (int64_t i = 0, k = 0; k < blocks; k++) {
        const double mean = sums[k] / (double)counts[k];
        if (sizes && !(mean > 0.0))
            break; /* the means descend */
        for (const int64_t end = i + counts[k]; i < end; i++)
            out[(uint32_t)a[i]] = (a[i] >> SIGN) & 1 ? -mean : mean;
    }
    free(a);
    free(b);
    free(counts);
    return 0;
}
