/* Cyclic coordinate descent in Gram space for L1 + L2:
 *
 *     minimise  1/2 w'Gw - c'w + sum_j a_j |w_j| + 1/2 sum_j b_j w_j^2
 *
 * One coordinate costs one soft threshold, and one axpy of length p when it moves. Full sweeps look for coordinates that
 * should move; between them only the coordinates that are non-zero are visited. A sweep is converged when no coordinate
 * moved its own gradient by more than tol, that is max_j |step_j| (G_jj + b_j) <= tol.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "common.h"

/* Updates coordinate j in place; returns the change of its own gradient. */
SW_INLINE double update(int64_t j, int64_t p, const double *G, const double *a, const double *b, double *w, double *r)
{
    const double *row = G + j * p;
    const double d = row[j] + b[j];
    if (!(d > 0.0))
        return 0.0;
    const double z = r[j] + row[j] * w[j];
    const double excess = fabs(z) - a[j];
    const double next = excess > 0.0 ? copysign(excess, z) / d : 0.0;
    const double step = next - w[j];
    if (step == 0.0)
        return 0.0;
    w[j] = next;
    for (int64_t i = 0; i < p; i++)
        r[i] -= step * row[i];
    return fabs(step) * d;
}

/* w: start in, solution out. r = c - Gw, kept up to date. order: p entries of scratch.
 * Returns the number of sweeps over all coordinates, negative when max_sweeps visits did not converge. */
SW_EXPORT SW_CLONES int64_t sw_gram_cd(int64_t p, const double *G, const double *a, const double *b, double *w, double *r,
                                       int64_t *order, double tol, int64_t max_sweeps)
{
    int64_t left = max_sweeps, full = 0;
    while (left-- > 0) {
        double moved = 0.0;
        int64_t active = 0;
        full++;
        for (int64_t j = 0; j < p; j++) {
            const double m = update(j, p, G, a, b, w, r);
            moved = m > moved ? m : moved;
            if (w[j] != 0.0)
                order[active++] = j;
        }
        if (!(moved > tol))
            return full;
        while (left-- > 0) {
            moved = 0.0;
            for (int64_t k = 0; k < active; k++) {
                const double m = update(order[k], p, G, a, b, w, r);
                moved = m > moved ? m : moved;
            }
            if (!(moved > tol))
                break;
        }
    }
    return -full;
}

/* 4: AVX-512, 3: AVX2, 1: the baseline of this build. */
SW_EXPORT int64_t sw_simd_level(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
        return 4;
    if (__builtin_cpu_supports("avx2"))
        return 3;
#endif
    return 1;
}
