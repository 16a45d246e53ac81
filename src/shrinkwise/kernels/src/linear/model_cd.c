/* Coordinate descent on a quadratic model whose Hessian is kept in single precision:
 *
 *     minimise  1/2 u'Hu - r'u + sum_j a_j |w_j + u_j| + 1/2 sum_j b_j (w_j + u_j)^2   over the step u
 *
 * The Hessian of a Newton step only has to be near the true one; half the bytes is half the time. A round is a full sweep,
 * which looks for coordinates that should move, and sweeps over the non-zero ones until they rest. The change of r within a
 * round is single precision too; the next round starts from the r that belongs to w, in double precision, so that the
 * solution is exact for the H that is there. Coordinates whose stationarity is violated by no more than tol/2 stay: a look
 * costs far less than a move. A round that does not come to rest ends with conjugate gradients on the non-zero coordinates and
 * the exact minimum, over the changes of sign, on the line to where they lead. Converged when max_j |step_j| (H_jj + b_j) <= tol in a full sweep.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../common.h"
#include "l1_line.h"

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

enum { PATIENCE = 20, CG_STEPS = 15 }; /* sweeps of a round before conjugate gradients, and how many steps of these */

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

/* out = sum_k x_k H[support_k], four rows a pass, x in single precision. */
SW_INLINE void product(int64_t m, int64_t stride, const float *H, int64_t n, const int64_t *support, const double *x, float *out)
{
    int64_t k = 0;
    for (int64_t i = 0; i < m; i++)
        out[i] = 0.0f;
    for (; k + 4 <= n; k += 4) {
        const float *h0 = H + support[k] * stride, *h1 = H + support[k + 1] * stride;
        const float *h2 = H + support[k + 2] * stride, *h3 = H + support[k + 3] * stride;
        const float x0 = (float)x[k], x1 = (float)x[k + 1], x2 = (float)x[k + 2], x3 = (float)x[k + 3];
        SW_IVDEP
        for (int64_t i = 0; i < m; i++)
            out[i] += x0 * h0[i] + x1 * h1[i] + x2 * h2[i] + x3 * h3[i];
    }
    for (; k < n; k++) {
        const float *row = H + support[k] * stride, f = (float)x[k];
        SW_IVDEP
        for (int64_t i = 0; i < m; i++)
            out[i] += f * row[i];
    }
}

/* How far to go along x from w, the slope at w being -curvature, and the coordinate that ends there at zero, or -1. */
static double line_search(int64_t n, const int64_t *support, const double *a, const double *w, const double *x, double curvature,
                          crossing *crossings, int64_t *stop)
{
    int64_t count = 0;
    for (int64_t k = 0; k < n; k++) {
        const int64_t j = support[k];
        if (a[j] > 0.0 && (w[j] > 0.0) != (w[j] + x[k] > 0.0)) {
            crossings[count].at = -w[j] / x[k];
            crossings[count++].index = k;
        }
    }
    return minimum_along(count, crossings, support, a, x, -curvature, curvature, stop);
}

/* Moves w by a few conjugate gradient steps on the support, scaled by the diagonal. work: 6 m. */
SW_INLINE void conjugate_gradients(int64_t m, int64_t stride, const float *H, const double *a, const double *b, double *w,
                                   const double *r, const float *change, int64_t n, const int64_t *support, double tol,
                                   double *work, float *q)
{
    double *x = work, *g = x + m, *p = g + m, *start = p + m, rz = 0.0, worst = INFINITY, curvature = 0.0;
    for (int64_t k = 0; k < n; k++) {
        const int64_t j = support[k];
        x[k] = 0.0;
        start[k] = g[k] = r[j] + (double)change[j] - b[j] * w[j] - copysign(a[j], w[j]);
        p[k] = g[k] / (H[j * stride + j] + b[j]);
        rz += g[k] * p[k];
    }
    for (int step = 0; step < CG_STEPS && worst > tol; step++) {
        double along = 0.0, next = 0.0;
        product(m, stride, H, n, support, p, q);
        for (int64_t k = 0; k < n; k++)
            along += p[k] * ((double)q[support[k]] + b[support[k]] * p[k]);
        if (!(along > 0.0))
            break;
        const double length = rz / along;
        worst = 0.0;
        for (int64_t k = 0; k < n; k++) {
            const int64_t j = support[k];
            x[k] += length * p[k];
            g[k] -= length * ((double)q[j] + b[j] * p[k]);
            worst = fabs(g[k]) > worst ? fabs(g[k]) : worst;
            next += g[k] * g[k] / (H[j * stride + j] + b[j]);
        }
        for (int64_t k = 0; k < n; k++)
            p[k] = g[k] / (H[support[k] * stride + support[k]] + b[support[k]]) + next / rz * p[k];
        rz = next;
    }
    for (int64_t k = 0; k < n; k++) /* x'Hx = x'start for the points of conjugate gradients */
        curvature += x[k] * start[k];
    if (!(curvature > 0.0))
        return;
    int64_t stop;
    const double t = line_search(n, support, a, w, x, curvature, (crossing *)(start + m), &stop);
    for (int64_t k = 0; k < n; k++)
        w[support[k]] = k == stop ? 0.0 : w[support[k]] + t * x[k];
}

/* H: m rows of a square array with rows of length stride. w: start in, solution out. r: minus the gradient of the smooth part
 * without b at the start; overwritten. work, change, order: 7 m, 2 m and m entries of scratch. Returns the number of full sweeps, negative
 * when not converged. */
SW_EXPORT SW_CLONES int64_t sw_model_cd(int64_t m, int64_t stride, const float *H, const double *a, const double *b, double *w,
                                        double *r, double *work, float *change, int64_t *order, double tol, int64_t max_sweeps)
{
    int64_t left = max_sweeps, full = 0;
    double *at = work + 6 * m;
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
        for (int sweep = 1; left-- > 0; sweep++) {
            moved = 0.0;
            for (int64_t k = 0; k < active; k++) {
                const double own = update(order[k], m, H + order[k] * stride, a, b, w, r, change, 0.5 * tol);
                moved = own > moved ? own : moved;
            }
            if (!(moved > rested))
                break;
            if (sweep == PATIENCE) {
                int64_t n = 0;
                for (int64_t k = 0; k < active; k++) {
                    const int64_t j = order[k];
                    if (w[j] != 0.0 && H[j * stride + j] + b[j] > 0.0)
                        order[n++] = j;
                }
                conjugate_gradients(m, stride, H, a, b, w, r, change, n, order, 0.5 * tol, work, change + m);
                break;
            }
        }
    }
    return -full;
}
