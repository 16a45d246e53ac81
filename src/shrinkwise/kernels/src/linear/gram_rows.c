/* Block coordinate descent in Gram space for rows: K targets share G, and the K weights of an input stand or fall together.
 *
 *     minimise  1/2 tr(W'GW) - tr(C'W) + sum_j t_j ||W_j|| + 1/2 sum_j b_j ||W_j||^2,     W of shape p x K, row j = W_j
 *
 * The Hessian of a row is (G_jj + b_j) I: its minimiser is a block soft threshold of R_j + G_jj W_j, divided by that. A row
 * whose KKT violation is <= tol is left as it is, so that a full sweep without a move certifies all of them at one W.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "../common.h"

SW_INLINE double norm(int64_t m, const double *x)
{
    double sum = 0.0;
    for (int64_t i = 0; i < m; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* Visits row j; returns its violation before that where it was above tol, else 0. step: K entries of scratch. */
SW_INLINE double visit(int64_t j, int64_t p, int64_t K, const double *G, double t, double b, double *W, double *R, double tol,
                       double *step)
{
    const double *row = G + j * p;
    double *w = W + j * K, sum = 0.0, size = 0.0;
    const double *r = R + j * K, length = norm(K, w), d = row[j] + b;
    for (int64_t k = 0; k < K; k++) {
        const double left = r[k] - b * w[k] - (length > 0.0 ? t * w[k] / length : 0.0);
        sum += left * left;
    }
    const double violated = sqrt(sum) - (length > 0.0 ? 0.0 : t);
    if (!(violated > tol))
        return 0.0;
    for (int64_t k = 0; k < K; k++) {
        step[k] = r[k] + row[j] * w[k];
        size += step[k] * step[k];
    }
    size = sqrt(size);
    if (size > t && !(d > 0.0))
        return 0.0;
    const double shrink = size > t ? (1.0 - t / size) / d : 0.0;
    for (int64_t k = 0; k < K; k++) {
        const double next = shrink * step[k];
        step[k] = next - w[k];
        w[k] = next;
    }
    for (int64_t i = 0; i < p; i++) {
        const double x = row[i];
        SW_IVDEP
        for (int64_t k = 0; k < K; k++)
            R[i * K + k] -= x * step[k];
    }
    return violated;
}

/* W: start in, solution out. R = C - GW, kept up to date. order, step: p and K entries of scratch. Returns the number of
 * sweeps, full or over the non-zero rows, negative when max_sweeps did not converge. */
SW_EXPORT SW_CLONES int64_t sw_gram_rows(int64_t p, int64_t K, const double *G, const double *t, const double *b, double *W,
                                         double *R, int64_t *order, double *step, double tol, int64_t max_sweeps)
{
    int64_t left = max_sweeps;
    while (left-- > 0) {
        double worst = 0.0;
        int64_t active = 0;
        for (int64_t j = 0; j < p; j++) {
            const double before = visit(j, p, K, G, t[j], b[j], W, R, tol, step);
            worst = before > worst ? before : worst;
            if (norm(K, W + j * K) > 0.0)
                order[active++] = j;
        }
        if (!(worst > tol))
            return max_sweeps - left;
        while (left-- > 0) {
            worst = 0.0;
            for (int64_t k = 0; k < active; k++) {
                const int64_t j = order[k];
                const double before = visit(j, p, K, G, t[j], b[j], W, R, tol, step);
                worst = before > worst ? before : worst;
            }
            if (!(worst > tol))
                break;
        }
    }
    return -max_sweeps;
}
