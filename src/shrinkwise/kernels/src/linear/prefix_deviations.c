/* Weighted deviations of columns from their running means: rows whose squares add up to the scatter within the sets of rows that
 * a partial likelihood has at risk. Rows come in blocks; a row beside the first of its block deviates from the mean of the
 * block so far, the first row stands for the deviation of the block's mean from that of all blocks before it.
 *
 * Reference: Welford, Note on a method for calculating corrected sums of squares and products, Technometrics 1962. */
#include <stdint.h>

#include "../common.h"

enum { TOGETHER = 4 }; /* columns: the means of one wait for each other */

SW_INLINE void put(void *out, int64_t single, int64_t first, int64_t n, int64_t count, const double *found)
{
    for (int64_t c = 0; c < count; c++)
        if (single)
            ((float *)out)[first + c * n] = (float)found[c];
        else
            ((double *)out)[first + c * n] = found[c];
}

/* order: the n rows in their order; starts: blocks + 1 positions in it. root (n): the root of the weight of each deviation;
 * within (n), joins (blocks): the share of a row in the mean of its block so far, of a block in that of all. X: m columns of n
 * entries, stride apart. out: m columns of n deviations, in the order of `order`. */
SW_EXPORT SW_CLONES void sw_prefix_deviations(int64_t n, int64_t blocks, const int64_t *order, const int64_t *starts,
                                              const double *root, const double *within, const double *joins, int64_t m,
                                              int64_t stride, const double *X, int64_t single, void *out)
{
    for (int64_t at = 0; at < m; at += TOGETHER) {
        const int64_t count = m - at < TOGETHER ? m - at : TOGETHER;
        const double *x[TOGETHER];
        double all[TOGETHER] = {0.0}, mean[TOGETHER], found[TOGETHER];
        for (int64_t c = 0; c < TOGETHER; c++) /* the last may be one column several times */
            x[c] = X + (at + (c < count ? c : 0)) * stride;
        for (int64_t k = 0; k < blocks; k++) {
            const int64_t first = starts[k];
            for (int c = 0; c < TOGETHER; c++)
                mean[c] = x[c][order[first]];
            for (int64_t i = first + 1; i < starts[k + 1]; i++) {
                for (int c = 0; c < TOGETHER; c++) {
                    const double d = x[c][order[i]] - mean[c];
                    found[c] = root[i] * d;
                    mean[c] += within[i] * d;
                }
                put(out, single, at * n + i, n, count, found);
            }
            for (int c = 0; c < TOGETHER; c++) {
                const double d = mean[c] - all[c];
                found[c] = root[first] * d;
                all[c] += joins[k] * d;
            }
            put(out, single, at * n + first, n, count, found);
        }
    }
}
