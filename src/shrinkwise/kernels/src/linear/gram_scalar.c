/* Cyclic coordinate descent in Gram space for concave separable penalties:
 *
 *     minimise  1/2 w'Gw - c'w + 1/2 sum_j b_j w_j^2 + sum_j p_j(|w_j|)
 *
 * with p'(x) = s up to x = k, falling linearly to 0 at x = f, 0 beyond     (SCAD; with k = 0 MCP).
 * A coordinate goes to the global minimiser of its own problem 1/2 d u^2 - z u + p(u), d = G_jj + b_j, z = r_j + G_jj w_j,
 * also where that is not convex (d <= s/(f - k)). Full sweeps look for coordinates that should move; between them only the
 * coordinates that are non-zero are visited. A sweep is converged when max_j |step_j| d_j <= tol.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "../common.h"

/* Of the minimisers 0, soft threshold, falling part, flat part: the one in its own region; where the problem is not convex
 * there can be two, and the lower one is taken. */
SW_INLINE double concave_minimiser(double z, double d, double s, double knee, double flat)
{
    const double x = fabs(z), bend = flat - knee, excess = x - s;
    if (!(s > 0.0))
        return z / d;
    const double soft = excess > 0.0 ? excess / d : 0.0, free = x / d;
    if (d * bend > s) {
        if (soft <= knee)
            return copysign(soft, z);
        const double falling = (x - s * flat / bend) / (d - s / bend);
        return copysign(falling <= flat ? falling : free, z);
    }
    if (!(soft <= knee))
        return z / d;
    if (!(free >= flat))
        return copysign(soft, z);
    /* values at the two: ½d soft² − excess soft, and −½x free + the flat height s (knee + flat)/2 */
    return copysign(x * free - excess * soft > s * (knee + flat) ? free : soft, z);
}

/* Updates coordinate j in place; returns the change of its own gradient. */
SW_INLINE double update(int64_t j, int64_t p, const double *G, const double *b, const double *slope, const double *knee,
                        const double *flat, double *w, double *r)
{
    const double *row = G + j * p;
    const double d = row[j] + b[j], z = r[j] + row[j] * w[j];
    double next;
    if (!(d > 0.0)) /* a column of zeros: the loss does not see it, nothing pulls against the penalty */
        next = slope[j] > 0.0 ? 0.0 : w[j];
    else
        next = concave_minimiser(z, d, slope[j], knee[j], flat[j]);
    const double step = next - w[j];
    if (step == 0.0)
        return 0.0;
    w[j] = next;
    if (!(d > 0.0))
        return 0.0;
    SW_IVDEP
    for (int64_t i = 0; i < p; i++)
        r[i] -= step * row[i];
    return fabs(step) * d;
}

/* w: start in, solution out.
 * r = c - Gw, kept up to date. order: p entries of scratch. Returns the number of sweeps over all coordinates, negative
 * when max_sweeps visits did not converge. */
SW_EXPORT SW_CLONES int64_t sw_gram_scalar(int64_t p, const double *G, const double *b, const double *slope,
                                           const double *knee, const double *flat, double *w, double *r,
                                           int64_t *order, double tol, int64_t max_sweeps)
{
    int64_t left = max_sweeps, full = 0;
    while (left-- > 0) {
        double moved = 0.0;
        int64_t active = 0;
        full++;
        for (int64_t j = 0; j < p; j++) {
            const double m = update(j, p, G, b, slope, knee, flat, w, r);
            moved = m > moved ? m : moved;
            if (w[j] != 0.0)
                order[active++] = j;
        }
        if (!(moved > tol))
            return full;
        while (left-- > 0) {
            moved = 0.0;
            for (int64_t k = 0; k < active; k++) {
                const double m = update(order[k], p, G, b, slope, knee, flat, w, r);
                moved = m > moved ? m : moved;
            }
            if (!(moved > tol))
                break;
        }
    }
    return -full;
}
