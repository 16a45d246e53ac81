/* L1 + L2 within bounds in Gram space, for one lambda after the other:
 *
 *     minimise  1/2 w'Gw - c'w + sum_j a_j |w_j| + 1/2 sum_j b_j w_j^2    for low <= w <= high      (a, b: one row a lambda)
 *
 * Cyclic coordinate descent finds which weights are at a bound or at zero. On the others the objective is quadratic, and
 * Newton steps (Cholesky) finish it: what leaves its bounds or its sign is cut there, and where that does not lower the
 * objective the step ends at the first weight that is cut, so that every step descends, also where G is singular. Each
 * lambda starts from the line through the two solutions before it, on which the solutions lie while no weight changes its
 * state (without b). Solved when no coordinate violates stationarity by more than tol, with r = c - Gw computed anew.
 *
 * References: Friedman, Hastie, Tibshirani, JSS 2010 (covariance updates). Bertsekas, Projected Newton methods for
 * optimization problems with simple constraints, SIAM J. Control Optim. 1982.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../common.h"

typedef void (*potrf_fn)(char *, int *, double *, int *, int *);
typedef void (*potrs_fn)(char *, int *, int *, double *, int *, double *, int *, int *);

enum { STALLED = 30 }; /* Newton rounds in a row that leave the largest violation: rounding keeps tol out of reach */

typedef struct {
    int64_t p, stride; /* columns, and the row length of G */
    const double *G, *c, *low, *high, *a, *b;
    double *w, *r, *step, *trial, *next; /* p numbers each */
    double *hessian;
    int64_t room, *free; /* rows the hessian has room for; the weights that move in a Newton step */
    potrf_fn potrf;
    potrs_fn potrs;
} state;

SW_INLINE double clip(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/* The negative gradient that is left at coordinate j: 0 where it is stationary. */
SW_INLINE double left_over(double w, double r, double a, double b, double low, double high)
{
    const double pull = r - b * w, left = w != 0.0 ? pull - copysign(a, w) : pull - clip(pull, -a, a);
    return (w <= low && left < 0.0) || (w >= high && left > 0.0) ? 0.0 : left;
}

SW_INLINE void subtract(int64_t p, double change, const double *row, double *out)
{
    SW_IVDEP
    for (int64_t i = 0; i < p; i++)
        out[i] -= change * row[i];
}

/* r = c - Gw. */
SW_CLONES static void renew(state *s)
{
    memcpy(s->r, s->c, s->p * sizeof(double));
    for (int64_t j = 0; j < s->p; j++)
        if (s->w[j] != 0.0)
            subtract(s->p, s->w[j], s->G + j * s->stride, s->r);
}

/* Updates every coordinate that violates by more than tol; returns the largest violation met (0: none), and counts updates. */
SW_CLONES static double sweep(state *s, double tol, int64_t *updates)
{
    double worst = 0.0;
    for (int64_t j = 0; j < s->p; j++) {
        const double w = s->w[j], a = s->a[j];
        const double violation = fabs(left_over(w, s->r[j], a, s->b[j], s->low[j], s->high[j]));
        if (!(violation > tol))
            continue;
        worst = violation > worst ? violation : worst;
        const double *row = s->G + j * s->stride, d = row[j] + s->b[j], z = s->r[j] + row[j] * w;
        /* where d = 0 the loss does not see the weight, and only the penalty pulls */
        const double next = clip(d > 0.0 ? (z - clip(z, -a, a)) / d : 0.0, s->low[j], s->high[j]);
        if (next == w || !isfinite(next))
            continue;
        s->w[j] = next;
        subtract(s->p, next - w, row, s->r);
        ++*updates;
    }
    return worst;
}

/* Lists the weights that are on a smooth piece of the objective and move freely. */
static int64_t list_free(state *s)
{
    int64_t n = 0;
    for (int64_t j = 0; j < s->p; j++)
        if (s->w[j] > s->low[j] && s->w[j] < s->high[j] && (s->w[j] != 0.0 || s->a[j] == 0.0) &&
            s->G[j * s->stride + j] + s->b[j] > 0.0)
            s->free[n++] = j;
    return n;
}

/* step = H^-1 (negative gradient) on the n free weights, H slightly damped; 0 where there is none. */
static int direction(state *s, int64_t n)
{
    char lower = 'L';
    int size = (int)n, one = 1, info = 0;
    if (s->room < n) {
        free(s->hessian);
        s->room = n + n / 4;
        s->hessian = malloc((size_t)s->room * s->room * sizeof(double));
        if (s->hessian == NULL)
            s->room = 0;
    }
    if (s->hessian == NULL)
        return 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = s->free[i];
        const double *row = s->G + j * s->stride;
        for (int64_t k = i; k < n; k++)
            s->hessian[i * n + k] = row[s->free[k]];
        s->hessian[i * n + i] = (row[j] + s->b[j]) * (1.0 + 1e-11); /* collinear columns leave a pivot */
        s->step[i] = s->r[j] - s->b[j] * s->w[j] - (s->a[j] > 0.0 ? copysign(s->a[j], s->w[j]) : 0.0);
    }
    s->potrf(&lower, &size, s->hessian, &size, &info);
    if (info != 0)
        return 0;
    s->potrs(&lower, &size, &one, s->hessian, &size, s->step, &size, &info);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(s->step[i]))
            return 0;
    return 1;
}

/* Where the weight ends that goes from w to `to`: at zero or at a bound if it would pass it. */
SW_INLINE double cut(double w, double to, double a, double low, double high)
{
    return clip(a > 0.0 && to * w < 0.0 ? 0.0 : to, low, high);
}

/* next = where the free weights are after the share t of the step, each cut; `first` ends where the whole step is cut.
 * trial = r there. Returns the change of the objective. */
SW_CLONES static double go(state *s, int64_t n, double t, int64_t first)
{
    double value = 0.0;
    memcpy(s->trial, s->r, s->p * sizeof(double));
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = s->free[i];
        const double w = s->w[j], to = w + (i == first ? 1.0 : t) * s->step[i];
        const double next = s->next[i] = cut(w, to, s->a[j], s->low[j], s->high[j]);
        value += s->a[j] * (fabs(next) - fabs(w)) + 0.5 * s->b[j] * (next * next - w * w);
        subtract(s->p, next - w, s->G + j * s->stride, s->trial);
    }
    for (int64_t i = 0; i < n; i++)
        value -= 0.5 * (s->next[i] - s->w[s->free[i]]) * (s->r[s->free[i]] + s->trial[s->free[i]]);
    return value;
}

/* One Newton step. Returns how many weights were cut; -1 where there was no step. */
static int64_t newton(state *s)
{
    const int64_t n = list_free(s);
    int64_t n_cut = 0, first = -1;
    double reach = 1.0;
    if (n == 0 || s->potrf == NULL || !direction(s, n))
        return -1;
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = s->free[i];
        const double w = s->w[j], to = w + s->step[i], end = cut(w, to, s->a[j], s->low[j], s->high[j]);
        if (end == to)
            continue;
        n_cut++;
        if ((end - w) / (to - w) < reach || first < 0)
            first = i, reach = (end - w) / (to - w);
    }
    if (!(go(s, n, 1.0, -1) < 0.0) && n_cut > 0)
        go(s, n, reach, first);
    for (int64_t i = 0; i < n; i++)
        s->w[s->free[i]] = s->next[i];
    memcpy(s->r, s->trial, s->p * sizeof(double));
    return n_cut;
}

/* Returns the sweeps taken, negative when `most` did not reach tol. */
static int64_t solve_lambda(state *s, double tol, int64_t most)
{
    int64_t sweeps = 0, updates = 0, stalled = 0;
    int works = 1, renewed = 0;
    double best = INFINITY;
    while (sweeps < most) {
        const double worst = sweep(s, tol, &updates);
        sweeps++;
        if (worst == 0.0) {
            if (renewed)
                return sweeps;
            renew(s);
            renewed = 1;
            continue;
        }
        renewed = 0;
        int64_t n = 0;
        for (int64_t j = 0; j < s->p; j++)
            n += s->w[j] != 0.0;
        if (!works || updates < n + n * n * n / (24 * s->p)) /* what a Newton step costs, in updates */
            continue;
        int64_t was_cut = 1;
        for (int k = 0; was_cut > 0 && k < (n < 300 ? 100 : 3); k++)
            was_cut = newton(s);
        works = was_cut >= 0 || n == 0;
        updates = 0;
        stalled = worst < 0.5 * best ? 0 : stalled + 1;
        best = worst < best ? worst : best;
        if (stalled > STALLED)
            break;
    }
    renew(s);
    return -sweeps;
}

/* w and r on the line through the two solutions before, `ahead` beyond the last, where (w, r) are; each weight cut. */
SW_CLONES static void predict(state *s, const double *w0, const double *r0, const double *w1, const double *r1, double ahead)
{
    for (int64_t j = 0; j < s->p; j++)
        s->r[j] = r1[j] + ahead * (r1[j] - r0[j]);
    for (int64_t j = 0; j < s->p; j++) {
        const double line = w1[j] + ahead * (w1[j] - w0[j]), a = s->a[j];
        const int rests = (w1[j] == 0.0 && a > 0.0) || w1[j] <= s->low[j] || w1[j] >= s->high[j];
        s->w[j] = rests ? w1[j] : cut(w1[j], line, a, s->low[j], s->high[j]);
        if (s->w[j] != line)
            subtract(s->p, s->w[j] - line, s->G + j * s->stride, s->r);
    }
}

/* Arguments as of sw_gram_path, with the bounds of every weight. Returns how many rows of W are filled: all but where there was
 * no memory. */
SW_EXPORT int64_t sw_gram_bounded(int64_t p, int64_t stride, const double *G, const double *c, const double *low,
                                  const double *high, int64_t n_lambdas, int64_t n_known, const double *lambdas,
                                  const double *A, const double *B, double *W, double *R, int64_t *count, double tol,
                                  int64_t max_sweeps, void *potrf, void *potrs)
{
    state s = {.p = p, .stride = stride, .G = G, .c = c, .low = low, .high = high, .potrf = (potrf_fn)potrf, .potrs = (potrs_fn)potrs};
    int64_t l = n_known;
    s.step = malloc((size_t)3 * p * sizeof(double));
    s.free = malloc((size_t)p * sizeof(int64_t));
    if (s.step != NULL && s.free != NULL) {
        s.trial = s.step + p, s.next = s.step + 2 * p;
        for (; l < n_lambdas; l++) {
            s.a = A + l * p, s.b = B + l * p, s.w = W + l * p, s.r = R + l * p;
            if (l > 1 && lambdas[l - 2] > lambdas[l - 1])
                predict(&s, s.w - 2 * p, s.r - 2 * p, s.w - p, s.r - p,
                        (lambdas[l - 1] - lambdas[l]) / (lambdas[l - 2] - lambdas[l - 1]));
            else {
                for (int64_t j = 0; j < p; j++)
                    s.w[j] = clip(l ? s.w[j - p] : 0.0, low[j], high[j]);
                renew(&s);
            }
            count[l] = solve_lambda(&s, tol, max_sweeps);
        }
    }
    free(s.hessian), free(s.step), free(s.free);
    return l;
}
