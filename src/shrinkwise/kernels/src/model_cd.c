/* Coordinate descent on a quadratic model whose Hessian is kept in single precision:
 *
 *     minimise  1/2 u'Hu - r'u + sum_j a_j |w_j + u_j| + 1/2 sum_j b_j (w_j + u_j)^2   over the step u
 *
 * The Hessian of a Newton step only has to be near the true one; half the bytes is half the time. A round is a full sweep,
 * which looks for coordinates that should move, and sweeps over the non-zero ones until they rest. The change of r within a
 * round is single precision too; the next round starts from the r that belongs to w, in double precision, so that the
 * solution is exact for the H that is there. Coordinates whose stationarity is violated by no more than tol/2 stay: a look
 * costs far less than a move. Converged when max_j |step_j| (H_jj + b_j) <= tol in a full sweep.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "common.h"

SW_INLINE double update(int64_t j, int64_t m, const float *row, const double *a, const double *b, double *w, const double *r,
                        float *change, double rest)
{
    const double h = row[j], d = h + b[j], at = w[j], slope = r[j] + (double)change[j];
    const double violation = at != 0.0 ? fabs(slope - b[j] * at - copysign(a[j], at)) : fabs(slope) - a[j];
    if (!(violation > rest && d > 0.0))
        return 0.0;
    const double z = slope + h * at;
    const double excess = fabs(z) - a[j];
    const double next = excess > 0.0 ? copysign(excess, z) / d : 0.0;
    const float step = (float)(next - at);
    w[j] = next;
    SW_IVDEP
    for (int64_t i = 0; i < m; i++)
        change[i] -= step * row[i];
    return fabs(next - at) * d;
}

/* r of the weights w, from r of the weights at; at = w. */
SW_INLINE void settle(int64_t m, int64_t stride, const float *H, const double *w, double *at, double *r, float *change)
{
    for (int64_t j = 0; j < m; j++) {
        const double step = w[j] - at[j];
        const float *row = H + j * stride;
        if (step == 0.0)
            continue;
        at[j] = w[j];
        SW_IVDEP
        for (int64_t i = 0; i < m; i++)
            r[i] -= step * (double)row[i];
    }
    for (int64_t i = 0; i < m; i++)
        change[i] = 0.0f;
}

/* H: m rows of a square array with rows of length stride. w: start in, solution out. r: minus the gradient of the smooth part
 * without b at the start; overwritten. at, change, order: m entries of scratch. Returns the number of full sweeps, negative
 * when not converged. */
SW_EXPORT SW_CLONES int64_t sw_model_cd(int64_t m, int64_t stride, const float *H, const double *a, const double *b, double *w,
                                        double *r, double *at, float *change, int64_t *order, double tol, int64_t max_sweeps)
{
    int64_t left = max_sweeps, full = 0;
    for (int64_t j = 0; j < m; j++)
        at[j] = w[j];
    while (left-- > 0) {
        settle(m, stride, H, w, at, r, change);
        double moved = 0.0;
        int64_t active = 0;
        full++;
        for (int64_t j = 0; j < m; j++) {
            const double own = update(j, m, H + j * stride, a, b, w, r, change, 0.5 * tol);
            moved = own > moved ? own : moved;
            if (w[j] != 0.0)
                order[active++] = j;
        }
        if (!(moved > tol))
            return full;
        const double rested = moved * 1e-4 > tol ? moved * 1e-4 : tol; /* what single precision can tell in a round */
        while (left-- > 0) {
            moved = 0.0;
            for (int64_t k = 0; k < active; k++) {
                const double own = update(order[k], m, H + order[k] * stride, a, b, w, r, change, 0.5 * tol);
                moved = own > moved ? own : moved;
            }
            if (!(moved > rested))
                break;
        }
    }
    return -full;
}
