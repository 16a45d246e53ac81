/* Coordinate descent on a quadratic model whose Hessian is kept in single precision:
 *
 *     minimise  1/2 u'Hu - r'u + sum_j a_j |w_j + u_j| + 1/2 sum_j b_j (w_j + u_j)^2   over the step u
 *
 * The Hessian of a Newton step only has to be near the true one; half the bytes is half the time. w and r are kept in double
 * precision, so that the solution is exact for the H that is there. Full sweeps look for coordinates that should move;
 * between them only the non-zero ones are visited. A sweep is converged when max_j |step_j| (H_jj + b_j) <= tol.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "common.h"

SW_INLINE double update(int64_t j, int64_t m, const float *row, const double *a, const double *b, double *w, double *r)
{
    const double h = row[j], d = h + b[j];
    if (!(d > 0.0))
        return 0.0;
    const double z = r[j] + h * w[j];
    const double excess = fabs(z) - a[j];
    const double next = excess > 0.0 ? copysign(excess, z) / d : 0.0;
    const double step = next - w[j];
    if (step == 0.0)
        return 0.0;
    w[j] = next;
    SW_IVDEP
    for (int64_t i = 0; i < m; i++)
        r[i] -= step * (double)row[i];
    return fabs(step) * d;
}

/* H: m rows of a square array with rows of length stride. w: start in, solution out. r: minus the gradient of the smooth part
 * without b, kept up to date. order: m entries of scratch. Returns the number of sweeps, negative when not converged. */
SW_EXPORT SW_CLONES int64_t sw_model_cd(int64_t m, int64_t stride, const float *H, const double *a, const double *b, double *w,
                                        double *r, int64_t *order, double tol, int64_t max_sweeps)
{
    int64_t left = max_sweeps, full = 0;
    while (left-- > 0) {
        double moved = 0.0;
        int64_t active = 0;
        full++;
        for (int64_t j = 0; j < m; j++) {
            const double change = update(j, m, H + j * stride, a, b, w, r);
            moved = change > moved ? change : moved;
            if (w[j] != 0.0)
                order[active++] = j;
        }
        if (!(moved > tol))
            return full;
        while (left-- > 0) {
            moved = 0.0;
            for (int64_t k = 0; k < active; k++) {
                const double change = update(order[k], m, H + order[k] * stride, a, b, w, r);
                moved = change > moved ? change : moved;
            }
            if (!(moved > tol))
                break;
        }
    }
    return -full;
}
