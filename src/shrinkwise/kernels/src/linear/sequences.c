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

typedef struct {
    uint64_t key; /* ascending keys are descending numbers */
    int64_t place;
} entry;

enum { DIGIT = 11, DIGITS = 6, BUCKETS = 1 << DIGIT, FEW = 64 };

static uint64_t descending(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? bits : ~bits & ~(UINT64_C(1) << 63);
}

static double number_of(uint64_t key)
{
    const uint64_t bits = key >> 63 ? key : ~key & ~(UINT64_C(1) << 63);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* One pass of a radix sort, from *a to *b, which change places; none where all keys have the same digit. */
static void by_digit(entry **a, entry **b, int64_t n, int shift, int64_t *count)
{
    int64_t total = 0;
    if (count[((*a)->key >> shift) & (BUCKETS - 1)] == n)
        return;
    for (int j = 0; j < BUCKETS; j++) {
        const int64_t here = count[j];
        count[j] = total;
        total += here;
    }
    for (int64_t i = 0; i < n; i++)
        (*b)[count[((*a)[i].key >> shift) & (BUCKETS - 1)]++] = (*a)[i];
    entry *const other = *a;
    *a = *b;
    *b = other;
}

/* Sorts by insertion what has equal high digits; 0 where too many different keys have. */
static int finish(entry *a, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        const entry here = a[i];
        int64_t j = i;
        for (; j > 0 && i - j < FEW && a[j - 1].key > here.key; j--)
            a[j] = a[j - 1];
        a[j] = here;
        if (j > 0 && a[j - 1].key > here.key)
            return 0;
    }
    return 1;
}

/* Sorts a by key; b has room for as many. Returns which of both holds the result. The high half of the digits nearly orders
 * most numbers; where it does not, all digits are sorted by. */
static entry *sorted(entry *a, entry *b, int64_t n, int64_t (*counts)[BUCKETS])
{
    for (int from = DIGITS / 2; from >= 0; from -= DIGITS / 2) {
        memset(counts, 0, DIGITS * sizeof *counts);
        for (int64_t i = 0; i < n; i++)
            for (int d = from; d < DIGITS; d++)
                counts[d][(a[i].key >> (DIGIT * d)) & (BUCKETS - 1)]++;
        for (int d = from; d < DIGITS; d++)
            by_digit(&a, &b, n, DIGIT * d, counts[d]);
        if (from == 0 || finish(a, n))
            break;
    }
    return a;
}

/* Lists the entries that can end above 0; out becomes 0. The last of m sizes in descending order end at 0 where
 * they are at most c_m, the least of their factors: none of their differences is positive, and none raises a mean of others. */
static int64_t candidates(int64_t n, const double *x, const double *c, int64_t sizes, entry *a, double *out)
{
    int64_t m = 0, before = n, above = 0;
    for (int64_t i = 0; i < n; i++) {
        out[i] = 0.0;
        above += fabs(x[i]) > c[n - 1];
    }
    if (!sizes || above >= n - n / 4) { /* too few to be worth it */
        for (int64_t i = 0; i < n; i++)
            a[i] = (entry){descending(sizes ? fabs(x[i]) : x[i] + 0.0), i};
        return n;
    }
    for (int64_t i = 0; i < n; i++) {
        a[m] = (entry){descending(fabs(x[i])), i};
        m += fabs(x[i]) > c[n - 1];
    }
    while (m > 0 && m < before - before / 16) { /* fewer entries have larger factors */
        before = m;
        m = 0;
        for (int64_t i = 0; i < before; i++) {
            const entry here = a[i];
            a[m] = here;
            m += number_of(here.key) > c[before - 1];
        }
    }
    return m;
}

typedef struct {
    double sum;
    int64_t count;
} block;

/* out = argmin_u 1/2 |u - x|^2 + sum c_i u_(i), or with `sizes` sum c_i |u|_(i), in descending order, c descending; n >= 1, x
 * finite. Returns 0, or 1 where memory is missing. */
SW_EXPORT int64_t sw_sorted_prox(int64_t n, const double *x, const double *c, int64_t sizes, double *out)
{
    entry *const a = malloc((size_t)n * sizeof *a), *const b = malloc((size_t)n * sizeof *b);
    int64_t(*const counts)[BUCKETS] = malloc(DIGITS * sizeof *counts);
    if (!a || !b || !counts) {
        free(a);
        free(b);
        free(counts);
        return 1;
    }
    const int64_t listed = candidates(n, x, c, sizes, a, out);
    const entry *const order = sorted(a, b, listed, counts);
    block *const blocks = (block *)(order == a ? b : a);
    int64_t m = 0;
    for (int64_t i = 0; i < listed; i++) {
        block here = {number_of(order[i].key) - c[i], 1};
        /* by products, for a division waits longer: above.sum / above.count <= here.sum / here.count */
        for (; m > 0 && blocks[m - 1].sum * (double)here.count <= here.sum * (double)blocks[m - 1].count; m--) {
            here.sum += blocks[m - 1].sum;
            here.count += blocks[m - 1].count;
        }
        blocks[m++] = here;
    }
    for (int64_t i = 0, k = 0; k < m; k++) {
        const double mean = blocks[k].sum / (double)blocks[k].count;
        if (sizes && !(mean > 0.0))
            break; /* the means descend */
        for (const int64_t end = i + blocks[k].count; i < end; i++)
            out[order[i].place] = mean;
    }
    if (sizes)
        for (int64_t i = 0; i < n; i++)
            out[i] = copysign(out[i], x[i]);
    free(a);
    free(b);
    free(counts);
    return 0;
}
