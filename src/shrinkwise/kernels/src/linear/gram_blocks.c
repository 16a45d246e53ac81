/* Block coordinate descent in Gram space, and on the residual (below), for (sparse) group lasso + L2:
 *
 *     minimise  1/2 w'Gw - c'w + sum_g t_g ||w_g|| + sum_j l_j |w_j| + 1/2 sum_j b_j w_j^2,   group g = starts[g] .. starts[g+1]-1
 *
 * A visited group is minimised exactly. With v = r_g + G_gg w_g and H = G_gg + diag(b_g) = Q diag(D) Q' it is zero iff
 * ||soft(v, l)|| <= t. Else, where l = 0, it is u = (H + t/rho)^-1 v with rho = ||u|| the root of
 * phi(rho) = sum_i ((Q'v)_i / (D_i rho + t))^2 = 1; 1/sqrt(phi) is increasing and concave, so Newton on it climbs to the
 * root without overshoot. Where l > 0, accelerated proximal gradient on the block, step 1/D_max.
 *
 * A group is visited in vain when its KKT violation is <= tol: it is left as it is. So a full sweep without a move
 * certifies max_g violation_g <= tol at one and the same w. Between full sweeps only the groups that are non-zero are visited.
 *
 * Reference: Qin, Scheinberg, Goldfarb, Efficient block-coordinate descent algorithms for the group lasso, Math. Prog.
 * Comp. 2013.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "../common.h"

typedef struct {
    int64_t p, groups, stride; /* stride: row length of G */
    const void *G;             /* in single or double precision, as the argument `single` of the functions says */
    const int64_t *starts, *offsets; /* offsets[g]: where group g begins in Qt */
    const double *t, *l, *b;
    const double *Qt, *D; /* eigenvectors of H as rows, eigenvalues ascending and >= 0 */
    double *w, *r;        /* w in and out; r = c - Gw, kept up to date */
    double *scratch;      /* 4 times the largest group */
} problem;

/* Entry i of a matrix, and its address; `single` is a constant where these are inlined. */
SW_INLINE double entry(const void *G, int single, int64_t i)
{
    return single ? (double)((const float *)G)[i] : ((const double *)G)[i];
}

SW_INLINE const void *from(const void *G, int single, int64_t i)
{
    return single ? (const void *)((const float *)G + i) : (const void *)((const double *)G + i);
}

SW_INLINE double soft(double x, double a)
{
    const double excess = fabs(x) - a;
    return excess > 0.0 ? copysign(excess, x) : 0.0;
}

SW_INLINE double norm(int64_t m, const double *x)
{
    double sum = 0.0;
    for (int64_t i = 0; i < m; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* Distance of the negative gradient of the smooth part from the subdifferential of the penalty. */
SW_INLINE double violation(int64_t m, const double *w, const double *r, const double *l, const double *b, double t)
{
    const double size = norm(m, w);
    double sum = 0.0;
    for (int64_t i = 0; i < m; i++) {
        const double pull = r[i] - b[i] * w[i] - (size > 0.0 ? t * w[i] / size : 0.0);
        const double left = w[i] != 0.0 ? pull - copysign(l[i], w[i]) : soft(pull, l[i]);
        sum += left * left;
    }
    const double distance = size > 0.0 ? sqrt(sum) : sqrt(sum) - t;
    return distance > 0.0 ? distance : 0.0;
}

/* The root rho >= 0 of sum (z_i / (D_i rho + t))^2 = 1 where the sum at 0 exceeds 1 and t > 0; start >= 0. */
SW_INLINE double radius(int64_t m, const double *z, const double *D, double t, double start)
{
    double rho = start;
    for (int k = 0; k < 100; k++) {
        double phi = 0.0, slope = 0.0;
        for (int64_t i = 0; i < m; i++) {
            const double d = D[i] * rho + t, q = z[i] / d;
            phi += q * q;
            slope += q * q * D[i] / d;
        }
        double next = rho + phi * (sqrt(phi) - 1.0) / slope;
        next = next > 0.0 ? next : 0.0;
        const int settled = fabs(next - rho) <= 4e-16 * next;
        rho = next;
        if (settled)
            break;
    }
    return rho;
}

/* The minimiser u of a group without L1 part, not zero; u holds the present w_g. z: m entries of scratch. */
SW_INLINE void minimise_smooth(int64_t m, const double *Qt, const double *D, double t, const double *v, double *u, double *z)
{
    double size = 0.0;
    for (int64_t k = 0; k < m; k++) {
        double sum = 0.0;
        for (int64_t i = 0; i < m; i++)
            sum += Qt[k * m + i] * v[i];
        z[k] = sum;
        size += sum * sum;
    }
    size = sqrt(size);
    if (t > 0.0) {
        const double rho = D[0] == D[m - 1] ? (size - t) / D[0] : radius(m, z, D, t, norm(m, u));
        if (!(rho < INFINITY))
            return; /* no curvature against the pull but in rounding: nothing to gain */
        for (int64_t k = 0; k < m; k++)
            z[k] *= rho / (D[k] * rho + t);
    } else {
        for (int64_t k = 0; k < m; k++) {
            if (D[k] > 0.0) {
                z[k] /= D[k];
            } else { /* directions without curvature stay as they are */
                z[k] = 0.0;
                for (int64_t i = 0; i < m; i++)
                    z[k] += Qt[k * m + i] * u[i];
            }
        }
    }
    for (int64_t i = 0; i < m; i++)
        u[i] = 0.0;
    for (int64_t k = 0; k < m; k++)
        for (int64_t i = 0; i < m; i++)
            u[i] += Qt[k * m + i] * z[k];
}

/* The minimiser u of a group with an L1 part, to a residual of goal, from the u given. work: 2m entries of scratch. */
SW_INLINE void minimise_sparse(int64_t m, const void *block, int single, int64_t stride, const double *l, const double *b, double top,
                               double t, const double *v, double goal, double *u, double *work)
{
    const double step = 1.0 / top;
    double *y = work, *next = work + m, momentum = 1.0;
    for (int64_t i = 0; i < m; i++)
        y[i] = u[i];
    for (int k = 0; k < 1000; k++) {
        for (int64_t i = 0; i < m; i++) {
            const void *row = from(block, single, i * stride);
            double pull = v[i] - b[i] * y[i];
            for (int64_t j = 0; j < m; j++)
                pull -= entry(row, single, j) * y[j];
            next[i] = soft(y[i] + step * pull, step * l[i]);
        }
        const double size = norm(m, next), shrink = size > step * t ? 1.0 - step * t / size : 0.0;
        double moved = 0.0, uphill = 0.0;
        for (int64_t i = 0; i < m; i++) {
            next[i] *= shrink;
            moved += (next[i] - y[i]) * (next[i] - y[i]);
            uphill += (y[i] - next[i]) * (next[i] - u[i]);
        }
        const double faster = 0.5 * (1.0 + sqrt(1.0 + 4.0 * momentum * momentum));
        const double beyond = uphill > 0.0 ? 0.0 : (momentum - 1.0) / faster;
        momentum = uphill > 0.0 ? 1.0 : faster;
        for (int64_t i = 0; i < m; i++) {
            y[i] = next[i] + beyond * (next[i] - u[i]);
            u[i] = next[i];
        }
        if (!(2.0 * sqrt(moved) * top > goal)) /* bounds the distance to the subdifferential at next */
            break;
    }
}

/* r -= sum_k step[k] row_k, four rows at a time. */
SW_INLINE void subtract_rows(int64_t p, int64_t stride, int64_t m, const void *rows, int single, const double *step, double *r)
{
    int64_t k = 0;
    for (; k + 4 <= m; k += 4) {
        const void *x0 = from(rows, single, k * stride), *x1 = from(x0, single, stride), *x2 = from(x1, single, stride),
                   *x3 = from(x2, single, stride);
        const double s0 = step[k], s1 = step[k + 1], s2 = step[k + 2], s3 = step[k + 3];
        SW_IVDEP
        for (int64_t i = 0; i < p; i++)
            r[i] -= s0 * entry(x0, single, i) + s1 * entry(x1, single, i) + s2 * entry(x2, single, i) + s3 * entry(x3, single, i);
    }
    for (; k < m; k++) {
        const void *x = from(rows, single, k * stride);
        const double s = step[k];
        SW_IVDEP
        for (int64_t i = 0; i < p; i++)
            r[i] -= s * entry(x, single, i);
    }
}

/* Minimises over group g where its violation is above tol, with r its entries of the negative gradient at w and block = G_gg.
 * Returns the violation and leaves the change of w in scratch; 0 where the group is left as it is. */
SW_INLINE double move(const problem *P, int64_t g, const double *r, const void *block, int single, int64_t stride, double tol)
{
    const int64_t first = P->starts[g], m = P->starts[g + 1] - first;
    const double t = P->t[g], *D = P->D + first, *l = P->l + first, *b = P->b + first;
    double *w = P->w + first, *v = P->scratch, *u = v + m;
    const double violated = violation(m, w, r, l, b, t);
    if (!(violated > tol))
        return 0.0;
    double above = 0.0, largest = 0.0;
    for (int64_t i = 0; i < m; i++) {
        const void *row = from(block, single, i * stride);
        double sum = r[i];
        for (int64_t j = 0; j < m; j++)
            sum += entry(row, single, j) * w[j];
        v[i] = sum;
        u[i] = w[i];
        above += soft(sum, l[i]) * soft(sum, l[i]);
        largest = l[i] > largest ? l[i] : largest;
    }
    if (sqrt(above) <= t) {
        for (int64_t i = 0; i < m; i++)
            u[i] = 0.0;
    } else if (!(D[m - 1] > 0.0)) {
        return 0.0;
    } else if (largest > 0.0) {
        const double goal = 0.1 * violated > tol ? 0.1 * violated : 0.3 * tol;
        minimise_sparse(m, block, single, stride, l, b, D[m - 1], t, v, goal, u, u + m);
    } else {
        minimise_smooth(m, P->Qt + P->offsets[g], D, t, v, u, u + m);
    }
    for (int64_t i = 0; i < m; i++) {
        v[i] = u[i] - w[i];
        w[i] = u[i];
    }
    return violated;
}

/* Visits group g; returns its violation before that where it was above tol, else 0. */
SW_INLINE double visit(const problem *P, int single, int64_t g, double tol)
{
    const int64_t first = P->starts[g];
    const void *rows = from(P->G, single, first * P->stride);
    const double violated = move(P, g, P->r + first, from(rows, single, first), single, P->stride, tol);
    if (violated > 0.0)
        subtract_rows(P->p, P->stride, P->starts[g + 1] - first, rows, single, P->scratch, P->r);
    return violated;
}

/* Sweeps over all groups, each followed by sweeps over those that it left non-zero until none of them moves. */
SW_INLINE int64_t descend(const problem *P, int single, int64_t *order, double tol, int64_t max_sweeps)
{
    int all = 1;
    int64_t active = 0;
    for (int64_t sweeps = 1; sweeps <= max_sweeps; sweeps++) {
        double worst = 0.0;
        const int64_t count = all ? P->groups : active;
        active = all ? 0 : active;
        for (int64_t k = 0; k < count; k++) {
            const int64_t g = all ? k : order[k];
            const double before = visit(P, single, g, tol);
            worst = before > worst ? before : worst;
            if (all && norm(P->starts[g + 1] - P->starts[g], P->w + P->starts[g]) > 0.0)
                order[active++] = g;
        }
        if (all && !(worst > tol))
            return sweeps;
        all = !(worst > tol);
    }
    return -max_sweeps;
}

/* G: float entries if single, else double. order: as many entries of scratch as there are groups. Returns the number of sweeps,
 * full or over the non-zero groups, negative when max_sweeps did not converge. */
SW_EXPORT SW_CLONES int64_t sw_gram_blocks(int64_t p, int64_t groups, int64_t stride, int64_t single, const void *G,
                                           const int64_t *starts, const int64_t *offsets, const double *t, const double *l,
                                           const double *b, const double *Qt, const double *D, double *w, double *r,
                                           double *scratch, int64_t *order, double tol, int64_t max_sweeps)
{
    const problem P = {p, groups, stride, G, starts, offsets, t, l, b, Qt, D, w, r, scratch};
    return single ? descend(&P, 1, order, tol, max_sweeps) : descend(&P, 0, order, tol, max_sweeps);
}

/* out_k = <row_k, x> / n, four rows at a time. */
SW_INLINE void dot_rows(int64_t n, int64_t m, const double *rows, const double *x, double *out)
{
    int64_t k = 0;
    for (; k + 4 <= m; k += 4) {
        const double *x0 = rows + k * n, *x1 = x0 + n, *x2 = x1 + n, *x3 = x2 + n;
        double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
        for (int64_t i = 0; i < n; i++) {
            s0 += x0[i] * x[i];
            s1 += x1[i] * x[i];
            s2 += x2[i] * x[i];
            s3 += x3[i] * x[i];
        }
        out[k] = s0 / n, out[k + 1] = s1 / n, out[k + 2] = s2 / n, out[k + 3] = s3 / n;
    }
    for (; k < m; k++) {
        const double *row = rows + k * n;
        double s = 0.0;
#pragma omp simd reduction(+ : s)
        for (int64_t i = 0; i < n; i++)
            s += row[i] * x[i];
        out[k] = s / n;
    }
}

/* One cycle over the groups without a Gram matrix but its diagonal blocks (group g: from offsets[g]). X: the columns one
 * after the other, n entries each; residual = y - Xw, kept up to date; g: X'residual/n as it was when a group was visited.
 * Returns how many groups were moved. */
SW_EXPORT SW_CLONES int64_t sw_column_blocks(int64_t n, const double *X, int64_t groups, const int64_t *starts,
                                             const int64_t *offsets, const double *blocks, const double *t, const double *l,
                                             const double *b, const double *Qt, const double *D, double *w, double *residual,
                                             double *g, double *scratch, double tol)
{
    const problem P = {n, groups, n, X, starts, offsets, t, l, b, Qt, D, w, residual, scratch};
    int64_t moved = 0;
    for (int64_t k = 0; k < groups; k++) {
        const int64_t first = starts[k], m = starts[k + 1] - first;
        dot_rows(n, m, X + first * n, residual, g + first);
        if (move(&P, k, g + first, blocks + offsets[k], 0, m, tol) > 0.0) {
            subtract_rows(n, n, m, X + first * n, 0, scratch, residual);
            moved++;
        }
    }
    return moved;
}
