/* L1 + L2 in Gram space, for one lambda after the other:
 *
 *     minimise  1/2 w'Gw - c'w + sum_j a_j |w_j| + 1/2 sum_j b_j w_j^2          (a, b: one row a lambda)
 *
 * Coordinate descent on the columns that were ever active, whose Gram matrix is kept apart ("compact"); extrapolation of
 * its last sweeps (Anderson), which costs nothing here because r = c - Gw extrapolates with w; and, where that is slow,
 * Newton steps on the support (Cholesky) with an exact line search over the changes of sign. Each lambda starts from the
 * line through the two solutions before it. Solved when the duality gap or the largest violation of stationarity is small.
 *
 * References: Friedman, Hastie, Tibshirani, JSS 2010 (covariance updates). Bertrand, Massias, Anderson acceleration of
 * coordinate descent, AISTATS 2021. Lee, Battle, Raina, Ng, Efficient sparse coding algorithms, NIPS 2007 (sign search).
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../common.h"
#include "l1_line.h"

typedef void (*potrf_fn)(char *, int *, double *, int *, int *);
typedef void (*potrs_fn)(char *, int *, int *, double *, int *, double *, int *, int *);

enum { MEMORY = 5 }; /* sweeps an extrapolation looks at */

typedef struct {
    int64_t p, stride;        /* columns, and the row length of G */
    const double *G, *c;
    double yy;                /* <y, y>/n */
    const double *a, *b;      /* this lambda's strengths */
    double *w, *r;            /* all p coordinates */
    double *reach;            /* sqrt(yy/G_jj): the weight that alone would explain all of y */
    int64_t *place, *order;   /* column -> place in the compact set or -1, and back */
    int64_t m, ld;            /* size of the compact set, row length of K */
    const double *K;          /* its Gram matrix; G itself once most columns are in */
    double *owned;            /* storage of K, or NULL when K is G */
    double *cw, *cr, *cc, *ca, *cb, *creach;       /* w, r, c, a, b on the compact set */
    double *past_w, *past_r;  /* MEMORY + 1 rows of p */
    double *q, *step, *hessian;
    int64_t *support, *scratch;
    int64_t hessian_size;
    potrf_fn potrf;
    potrs_fn potrs;
    int64_t (*asked)(void);   /* whether to stop, or NULL: never */
    double work;              /* multiplications since it was asked */
    int stopped;
} state;

/* Whether the user asked to stop: asked about every tenth of a second, for the answer costs microseconds. */
static int stops(state *s)
{
    s->work += (double)s->m * s->m + s->p;
    if (s->asked != NULL && s->work > 1e8 && !s->stopped) {
        s->work = 0.0;
        s->stopped = s->asked() != 0;
    }
    return s->stopped;
}

/* --- certificates ---------------------------------------------------------------------------------------------------- */

/* P - D at w with r = c - Gw, on m coordinates, the others being zero; see linear/duality.py for the formula. A free
 * coordinate (a = b = 0) asks r = 0; what is left of it counts as if its weight could still move by its own size and by
 * `reach`. */
SW_CLONES static double duality_gap(int64_t m, const double *w, const double *r, const double *c, const double *a, const double *b,
                                    const double *reach, double yy)
{
    double cw = 0.0, rw = 0.0, penalty = 0.0, slack = 0.0, alpha = 1.0, conjugate = 0.0;
#pragma omp simd reduction(+ : cw, rw, penalty, slack) reduction(min : alpha)
    for (int64_t j = 0; j < m; j++) {
        const double size = fabs(r[j]);
        cw += c[j] * w[j];
        rw += r[j] * w[j];
        penalty += a[j] * fabs(w[j]) + 0.5 * b[j] * w[j] * w[j];
        const int beyond = b[j] == 0.0 && size > a[j];
        const double share = beyond && a[j] > 0.0 ? a[j] / size : 1.0;
        alpha = share < alpha ? share : alpha;
        slack += beyond && a[j] == 0.0 ? size * (fabs(w[j]) + reach[j]) : 0.0;
    }
#pragma omp simd reduction(+ : conjugate)
    for (int64_t j = 0; j < m; j++) {
        const double excess = alpha * fabs(r[j]) - a[j];
        conjugate += b[j] > 0.0 && excess > 0.0 ? 0.5 * excess * excess / b[j] : 0.0;
    }
    double rr = yy - cw - rw;
    rr = rr > 0.0 ? rr : 0.0;
    return 0.5 * rr + penalty - (alpha * (yy - cw) - 0.5 * alpha * alpha * rr - conjugate) + slack;
}

SW_CLONES static double violation(int64_t m, const double *w, const double *r, const double *a, const double *b)
{
    double worst = 0.0;
#pragma omp simd reduction(max : worst)
    for (int64_t j = 0; j < m; j++) {
        const double v = w[j] != 0.0 ? fabs(r[j] - b[j] * w[j] - copysign(a[j], w[j])) : fabs(r[j]) - a[j];
        worst = v > worst ? v : worst;
    }
    return worst;
}

/* The objective without its constant: 1/2 w'Gw - c'w = -1/2 (c + r)'w. */
SW_CLONES static double objective(int64_t m, const double *w, const double *r, const double *c, const double *a,
                                  const double *b)
{
    double value = 0.0;
#pragma omp simd reduction(+ : value)
    for (int64_t j = 0; j < m; j++)
        value += w[j] * (0.5 * b[j] * w[j] - 0.5 * (c[j] + r[j])) + a[j] * fabs(w[j]);
    return value;
}

/* --- the pieces of a round ------------------------------------------------------------------------------------------- */

/* One cycle of coordinate descent; returns the largest change of a coordinate's own gradient. */
SW_CLONES static double sweep(int64_t m, int64_t ld, const double *K, const double *a, const double *b, double *w, double *r)
{
    double moved = 0.0;
    for (int64_t j = 0; j < m; j++) {
        if (w[j] == 0.0 && fabs(r[j]) <= a[j])
            continue;
        const double *row = K + j * ld;
        const double d = row[j] + b[j];
        if (!(d > 0.0))
            continue;
        const double z = r[j] + row[j] * w[j];
        const double excess = fabs(z) - a[j];
        const double next = excess > 0.0 ? copysign(excess, z) / d : 0.0;
        const double change = next - w[j];
        if (change == 0.0)
            continue;
        w[j] = next;
        SW_IVDEP
        for (int64_t i = 0; i < m; i++)
            r[i] -= change * row[i];
        const double own = fabs(change) * d;
        moved = own > moved ? own : moved;
    }
    return moved;
}

/* out -= sum_k change_k rows[k], four rows a pass. */
SW_CLONES static void subtract_rows(int64_t m, int64_t n_rows, const double *const *rows, const double *change, double *out)
{
    int64_t k = 0;
    for (; k + 4 <= n_rows; k += 4) {
        const double *x0 = rows[k], *x1 = rows[k + 1], *x2 = rows[k + 2], *x3 = rows[k + 3];
        const double s0 = change[k], s1 = change[k + 1], s2 = change[k + 2], s3 = change[k + 3];
        SW_IVDEP
        for (int64_t i = 0; i < m; i++)
            out[i] -= s0 * x0[i] + s1 * x1[i] + s2 * x2[i] + s3 * x3[i];
    }
    for (; k < n_rows; k++) {
        const double *x = rows[k], s = change[k];
        SW_IVDEP
        for (int64_t i = 0; i < m; i++)
            out[i] -= s * x[i];
    }
}

/* Solves the k x k system A x = 1 in place by elimination with pivoting; 0 when singular. */
static int solve_small(int k, double A[MEMORY][MEMORY], double *x)
{
    for (int i = 0; i < k; i++)
        x[i] = 1.0;
    for (int i = 0; i < k; i++) {
        int best = i;
        for (int j = i + 1; j < k; j++)
            best = fabs(A[j][i]) > fabs(A[best][i]) ? j : best;
        if (!(fabs(A[best][i]) > 0.0))
            return 0;
        if (best != i) {
            for (int j = 0; j < k; j++) {
                const double t = A[i][j];
                A[i][j] = A[best][j];
                A[best][j] = t;
            }
            const double t = x[i];
            x[i] = x[best];
            x[best] = t;
        }
        for (int j = i + 1; j < k; j++) {
            const double f = A[j][i] / A[i][i];
            for (int l = i; l < k; l++)
                A[j][l] -= f * A[i][l];
            x[j] -= f * x[i];
        }
    }
    for (int i = k - 1; i >= 0; i--) {
        for (int j = i + 1; j < k; j++)
            x[i] -= A[i][j] * x[j];
        x[i] /= A[i][i];
    }
    return 1;
}

/* Replaces (cw, cr) by the affine combination of the last sweeps with the smallest difference, if the objective falls. */
SW_CLONES static void extrapolate(state *s)
{
    const int64_t m = s->m, p = s->p;
    double A[MEMORY][MEMORY], weight[MEMORY], total = 0.0, trace = 0.0;
    for (int i = 0; i < MEMORY; i++)
        for (int j = 0; j <= i; j++) {
            const double *x1 = s->past_w + (i + 1) * p, *x0 = s->past_w + i * p;
            const double *y1 = s->past_w + (j + 1) * p, *y0 = s->past_w + j * p;
            double sum = 0.0;
#pragma omp simd reduction(+ : sum)
            for (int64_t k = 0; k < m; k++)
                sum += (x1[k] - x0[k]) * (y1[k] - y0[k]);
            A[i][j] = A[j][i] = sum;
        }
    for (int i = 0; i < MEMORY; i++)
        trace += A[i][i];
    for (int i = 0; i < MEMORY; i++)
        A[i][i] += 1e-12 * trace;
    if (!solve_small(MEMORY, A, weight))
        return;
    for (int i = 0; i < MEMORY; i++)
        total += weight[i];
    if (!(fabs(total) > 0.0) || !isfinite(total))
        return;
    double *w = s->step, *r = s->q;
    for (int64_t k = 0; k < m; k++)
        w[k] = r[k] = 0.0;
    for (int i = 0; i < MEMORY; i++) {
        const double f = weight[i] / total, *pw = s->past_w + (i + 1) * p, *pr = s->past_r + (i + 1) * p;
        for (int64_t k = 0; k < m; k++) {
            w[k] += f * pw[k];
            r[k] += f * pr[k];
        }
    }
    if (objective(m, w, r, s->cc, s->ca, s->cb) < objective(m, s->cw, s->cr, s->cc, s->ca, s->cb)) {
        memcpy(s->cw, w, m * sizeof(double));
        memcpy(s->cr, r, m * sizeof(double));
    }
}

/* Lists the support; H = K_SS + diag(b) in column-major lower form, q = the negative gradient there. -1 without memory. */
static int64_t gather(state *s, int64_t n)
{
    if (s->hessian_size < n) {
        free(s->hessian);
        s->hessian_size = n + n / 4;
        s->hessian = malloc((size_t)s->hessian_size * s->hessian_size * sizeof(double));
        if (s->hessian == NULL) {
            s->hessian_size = 0;
            return -1;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t si = s->support[i];
        const double *row = s->K + si * s->ld;
        for (int64_t j = i; j < n; j++)
            s->hessian[i * n + j] = row[s->support[j]];
        s->hessian[i * n + i] += s->cb[si];
        s->q[i] = s->cr[si] - copysign(s->ca[si], s->cw[si]) - s->cb[si] * s->cw[si];
    }
    return n;
}

/* The first of n support columns that the ones before it explain but for rounding, or n; H holds its factor on return. */
static int64_t first_dependent(state *s, int64_t n)
{
    char lower = 'L';
    int size = (int)n, info = 0;
    s->potrf(&lower, &size, s->hessian, &size, &info);
    const int64_t done = info > 0 ? info - 1 : n;
    for (int64_t i = 0; i < done; i++) {
        const int64_t j = s->support[i]; /* what is left of a column beside the others, as a share of its square */
        const double pivot = s->hessian[i * n + i];
        if (!(pivot * pivot > 1e-12 * (s->K[j * s->ld + j] + s->cb[j])))
            return i;
    }
    return done;
}

/* Fills `step` with the Newton step H^-1 q, or, where a column depends on those before it, with the direction along which
 * the fit does not change. Returns how many support columns it moves, and its curvature; -1 without a direction. */
static int64_t direction(state *s, int64_t n, double *curvature)
{
    char lower = 'L';
    int one = 1, info = 0;
    if (gather(s, n) < 0)
        return -1;
    int64_t k = first_dependent(s, n);
    double *d = s->step;
    if (k == n) {
        int size = (int)n;
        memcpy(d, s->q, n * sizeof(double));
        s->potrs(&lower, &size, &one, s->hessian, &size, d, &size, &info);
        *curvature = 0.0;
        for (int64_t i = 0; i < n; i++)
            *curvature += d[i] * s->q[i];
        return isfinite(*curvature) ? n : -1;
    }
    *curvature = 0.0;
    const double *row = s->K + s->support[k] * s->ld;
    double slope = 0.0;
    for (int64_t earlier = -1; k > 0 && earlier != k;) { /* rounding may show an earlier one in the smaller factor */
        k = earlier >= 0 ? earlier : k;
        gather(s, k);
        earlier = first_dependent(s, k);
    }
    row = s->K + s->support[k] * s->ld;
    for (int64_t i = 0; i < k; i++)
        d[i] = -row[s->support[i]];
    int size = (int)k;
    if (k > 0)
        s->potrs(&lower, &size, &one, s->hessian, &size, d, &size, &info);
    d[k] = 1.0;
    const int64_t jk = s->support[k];
    s->q[k] = s->cr[jk] - copysign(s->ca[jk], s->cw[jk]) - s->cb[jk] * s->cw[jk];
    for (int64_t i = 0; i <= k; i++)
        slope += d[i] * s->q[i];
    if (slope < 0.0)
        for (int64_t i = 0; i <= k; i++)
            d[i] = -d[i];
    return k + 1;
}

/* Moves the first n support columns to the minimum of the objective along `step`, whose slope starts at -q'step, changes by
 * `curvature` a unit and by 2 a |step| at every coordinate that crosses zero. Returns how many would cross; -1 when nothing
 * ends a direction without curvature. */
static int64_t line_search(state *s, int64_t n, double curvature)
{
    double *d = s->step, slope = 0.0;
    int64_t n_crossings = 0, stop;
    crossing *crossings = (crossing *)s->scratch;
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = s->support[i];
        const double at = -s->cw[j] / d[i];
        slope -= d[i] * s->q[i];
        if (s->ca[j] > 0.0 && at >= 0.0 && (curvature > 0.0 ? at < 1.0 : at < INFINITY)) {
            crossings[n_crossings].at = at;
            crossings[n_crossings++].index = i;
        }
    }
    const double t = minimum_along(n_crossings, crossings, s->support, s->ca, d, slope, curvature, &stop);
    if (!isfinite(t))
        return -1;
    const double **rows = (const double **)s->scratch;
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = s->support[i];
        const double next = i == stop ? 0.0 : s->cw[j] + t * d[i];
        d[i] = next - s->cw[j];
        s->cw[j] = next;
        rows[i] = s->K + j * s->ld;
    }
    subtract_rows(s->m, n, rows, d, s->cr);
    return n_crossings;
}

/* One step on the support with the signs it has. Returns the coordinates whose sign would have changed on the way to its
 * minimum (0: reached), or -1 where there is no step. */
static int64_t newton(state *s)
{
    int64_t n = 0;
    double curvature;
    for (int64_t j = 0; j < s->m; j++)
        if (s->cw[j] != 0.0)
            s->support[n++] = j;
    if (n == 0 || s->potrf == NULL)
        return -1;
    const int64_t moves = direction(s, n, &curvature);
    return moves < 0 ? -1 : line_search(s, moves, curvature);
}

/* Solves on the compact set; returns the sweeps taken, negative when `most` did not reach gap <= tol_gap or violation
 * <= tol_kkt. */
static int64_t solve_compact(state *s, double tol_gap, double tol_kkt, int64_t most)
{
    const int64_t m = s->m, p = s->p;
    int64_t since = 0, sweeps = 0;
    int newton_works = 1, kept = 0, stalled = 0;
    double best = INFINITY;
    while (sweeps < most && !stops(s)) {
        if (kept == 0) {
            memcpy(s->past_w, s->cw, m * sizeof(double));
            memcpy(s->past_r, s->cr, m * sizeof(double));
        }
        const double moved = sweep(m, s->ld, s->K, s->ca, s->cb, s->cw, s->cr);
        sweeps++, since++, kept++;
        if (moved == 0.0)
            return sweeps;
        if (duality_gap(m, s->cw, s->cr, s->cc, s->ca, s->cb, s->creach, s->yy) <= tol_gap ||
            violation(m, s->cw, s->cr, s->ca, s->cb) <= tol_kkt)
            return sweeps;
        memcpy(s->past_w + kept * p, s->cw, m * sizeof(double));
        memcpy(s->past_r + kept * p, s->cr, m * sizeof(double));
        int64_t n_s = 0;
        for (int64_t j = 0; j < m; j++)
            n_s += s->cw[j] != 0.0;
        /* What a factorisation costs, in sweeps. */
        const int64_t patience = 3 + n_s / 45 + n_s * n_s / 20000;
        if (newton_works && since >= patience) {
            /* One step after the other until no sign changes: each lowers the objective, and small ones cost little. */
            int64_t crossed = 1;
            for (int k = 0; crossed > 0 && k < (n_s < 300 ? 200 : 3) && !s->stopped; k++)
                crossed = newton(s);
            s->work += (double)n_s * n_s * n_s / 3.0;
            newton_works = crossed >= 0;
            since = kept = 0;
            const double left = violation(m, s->cw, s->cr, s->ca, s->cb);
            if (left <= tol_kkt || duality_gap(m, s->cw, s->cr, s->cc, s->ca, s->cb, s->creach, s->yy) <= tol_gap)
                return sweeps;
            stalled = left < 0.5 * best ? 0 : stalled + 1; /* rounding can keep a tolerance below it out of reach */
            best = left < best ? left : best;
            if (stalled > 60)
                newton_works = 0;
        } else if (kept == MEMORY) {
            extrapolate(s);
            kept = 0;
        }
    }
    return -sweeps;
}

/* --- the compact set ------------------------------------------------------------------------------------------------- */

static void enter(state *s, int64_t j)
{
    const int64_t k = s->m++;
    s->place[j] = k;
    s->order[k] = j;
    s->cw[k] = s->w[j];
    s->cr[k] = s->r[j];
    s->cc[k] = s->c[j];
    s->ca[k] = s->a[j];
    s->cb[k] = s->b[j];
    s->creach[k] = s->reach[j];
}

/* Takes in every column that is active or violates; returns how many came. Grows K by their rows and columns. */
static int64_t admit(state *s)
{
    const int64_t p = s->p, before = s->m;
    if (s->K == s->G)
        return 0;
    for (int64_t j = 0; j < p; j++)
        if (s->place[j] < 0 && (s->w[j] != 0.0 || fabs(s->r[j]) > s->a[j]))
            enter(s, j);
    const int64_t m = s->m;
    if (m == before)
        return 0;
    if (5 * m <= 4 * p) {
        if (m > s->ld) {
            const int64_t most = 4 * p / 5 + 1, room = m + m / 2 + 64;
            const int64_t ld = room < most ? room : most;
            double *grown = malloc((size_t)ld * ld * sizeof(double));
            if (grown != NULL) {
                for (int64_t i = 0; i < before; i++)
                    memcpy(grown + i * ld, s->owned + i * s->ld, before * sizeof(double));
                free(s->owned);
                s->owned = grown, s->K = grown, s->ld = ld;
            } else
                goto whole;
        }
        for (int64_t i = before; i < m; i++) {
            const double *row = s->G + s->order[i] * s->stride;
            for (int64_t j = 0; j <= i; j++)
                s->owned[i * s->ld + j] = s->owned[j * s->ld + i] = row[s->order[j]];
        }
        return m - before;
    }
whole: /* most columns are in: work on G itself, in its order */
    free(s->owned);
    s->owned = NULL, s->K = s->G, s->ld = s->stride, s->m = p;
    for (int64_t k = 0; k < before; k++) {
        s->w[s->order[k]] = s->cw[k];
        s->r[s->order[k]] = s->cr[k];
    }
    for (int64_t j = 0; j < p; j++)
        s->place[j] = s->order[j] = j;
    memcpy(s->cw, s->w, p * sizeof(double));
    memcpy(s->cr, s->r, p * sizeof(double));
    memcpy(s->cc, s->c, p * sizeof(double));
    memcpy(s->ca, s->a, p * sizeof(double));
    memcpy(s->cb, s->b, p * sizeof(double));
    memcpy(s->creach, s->reach, p * sizeof(double));
    return p - before;
}

/* Brings w and r of all columns up to date after a round on the compact set. */
static void publish(state *s)
{
    const int64_t p = s->p;
    if (s->K == s->G) {
        memcpy(s->w, s->cw, p * sizeof(double));
        memcpy(s->r, s->cr, p * sizeof(double));
        return;
    }
    const double **rows = (const double **)s->scratch;
    int64_t n = 0;
    for (int64_t k = 0; k < s->m; k++) {
        const double change = s->cw[k] - s->w[s->order[k]];
        if (change != 0.0) {
            rows[n] = s->G + s->order[k] * s->stride;
            s->step[n++] = change;
        }
        s->w[s->order[k]] = s->cw[k];
    }
    subtract_rows(p, n, rows, s->step, s->r);
    for (int64_t k = 0; k < s->m; k++)
        s->r[s->order[k]] = s->cr[k];
}

/* --- the path -------------------------------------------------------------------------------------------------------- */

/* The line through (w0, r0) and (w1, r1), a factor `ahead` beyond the second, coordinates that would leave their sign set
 * to zero; taken when the objective is lower there than at (w1, r1), which is where (w, r) are. */
static void predict(state *s, const double *w0, const double *r0, const double *w1, const double *r1, double ahead)
{
    const int64_t p = s->p;
    double *w = s->past_w, *r = s->past_r;
    const double **rows = (const double **)s->scratch;
    int64_t n = 0;
    for (int64_t j = 0; j < p; j++) {
        r[j] = r1[j] + ahead * (r1[j] - r0[j]);
        const double line = w1[j] + ahead * (w1[j] - w0[j]);
        w[j] = w1[j] != 0.0 && line * w1[j] > 0.0 ? line : 0.0;
        if (w[j] != line) {
            rows[n] = s->G + j * s->stride;
            s->step[n++] = w[j] - line;
        }
    }
    if (n > p / 4)
        return;
    subtract_rows(p, n, rows, s->step, r);
    if (objective(p, w, r, s->c, s->a, s->b) < objective(p, s->w, s->r, s->c, s->a, s->b)) {
        memcpy(s->w, w, p * sizeof(double));
        memcpy(s->r, r, p * sizeof(double));
    }
}

static void load(state *s)
{
    for (int64_t k = 0; k < s->m; k++) {
        const int64_t j = s->order[k];
        s->cw[k] = s->w[j], s->cr[k] = s->r[j], s->ca[k] = s->a[j], s->cb[k] = s->b[j];
    }
}

static int64_t solve_lambda(state *s, double tol_gap, double tol_kkt, int64_t most)
{
    double inner_gap = tol_gap, inner_kkt = tol_kkt;
    int64_t sweeps = 0;
    /* Between two changes of the support the line through two solutions is the path itself, as exact as they are. */
    if (duality_gap(s->p, s->w, s->r, s->c, s->a, s->b, s->reach, s->yy) <= 1e-3 * tol_gap)
        return 1;
    load(s);
    admit(s);
    while (sweeps < most && !s->stopped) {
        const int64_t taken = s->m ? solve_compact(s, inner_gap, inner_kkt, most - sweeps) : 1;
        sweeps += llabs(taken);
        publish(s);
        if (duality_gap(s->p, s->w, s->r, s->c, s->a, s->b, s->reach, s->yy) <= tol_gap ||
            violation(s->p, s->w, s->r, s->a, s->b) <= tol_kkt)
            return sweeps;
        if (taken < 0)
            break;
        if (admit(s) == 0) {
            if (inner_gap < 1e-3 * tol_gap || (inner_gap <= 0.0 && inner_kkt < 1e-3 * tol_kkt))
                return -sweeps; /* at rounding */
            inner_gap *= 0.1, inner_kkt *= 0.1;
        }
    }
    return -sweeps;
}

/* G: p rows of `stride` numbers. W, R: (n_lambdas, p); their first n_known rows are solutions and their r = c - Gw, the others are written. The start is the
 * last known one, or zero. count: sweeps taken at each lambda, negative where the tolerance was not reached. Returns how many
 * rows of W are solutions now: it stops after the first lambda that was not solved, and where `asked` (or NULL), called now
 * and then, returns other than 0. */
SW_EXPORT int64_t sw_gram_path(int64_t p, int64_t stride, const double *G, const double *c, double yy, int64_t n_lambdas, int64_t n_known,
                               const double *lambdas, const double *A, const double *B, double *W, double *R, int64_t *count,
                               double tol_gap, double tol_kkt, int64_t max_sweeps, void *potrf, void *potrs, void *asked)
{
    state s = {.p = p, .stride = stride, .G = G, .c = c, .yy = yy, .potrf = (potrf_fn)potrf, .potrs = (potrs_fn)potrs,
               .asked = (int64_t (*)(void))asked};
    double *reals = malloc((size_t)(2 * (MEMORY + 1) + 11) * p * sizeof(double));
    int64_t *integers = malloc((size_t)5 * p * sizeof(int64_t)), l = n_known;
    if (reals != NULL && integers != NULL) {
        double **parts[] = {&s.cw, &s.cr, &s.cc, &s.ca, &s.cb, &s.w, &s.r, &s.q, &s.step, &s.reach, &s.creach};
        for (int i = 0; i < 11; i++)
            *parts[i] = reals + i * p;
        s.past_w = reals + 11 * p, s.past_r = s.past_w + (MEMORY + 1) * p;
        s.place = integers, s.order = integers + p, s.support = integers + 2 * p, s.scratch = integers + 3 * p;
        for (int64_t j = 0; j < p; j++) {
            s.place[j] = -1;
            s.w[j] = l ? W[(l - 1) * p + j] : 0.0;
            s.r[j] = l ? R[(l - 1) * p + j] : c[j];
            s.reach[j] = G[j * stride + j] > 0.0 ? sqrt(yy / G[j * stride + j]) : 0.0;
        }
        for (int solved = 1; l < n_lambdas && solved; l++) {
            s.a = A + l * p, s.b = B + l * p;
            if (l > 1 && lambdas[l - 2] > lambdas[l - 1])
                predict(&s, W + (l - 2) * p, R + (l - 2) * p, W + (l - 1) * p, R + (l - 1) * p,
                        (lambdas[l - 1] - lambdas[l]) / (lambdas[l - 2] - lambdas[l - 1]));
            count[l] = solve_lambda(&s, tol_gap, tol_kkt, max_sweeps);
            solved = count[l] > 0;
            memcpy(W + l * p, s.w, p * sizeof(double));
            memcpy(R + l * p, s.r, p * sizeof(double));
        }
    }
    free(s.owned), free(s.hessian), free(reals), free(integers);
    return l;
}

/* For each of n rows of W, R, A, B (r = c - Gw): out = gap, largest violation, objective (its constant yy/2 included).
 * reach: sqrt(yy/G_jj) of the free coordinates. */
SW_EXPORT void sw_gram_certificates(int64_t n, int64_t p, const double *W, const double *R, const double *c, const double *A,
                                    const double *B, const double *reach, double yy, double *out)
{
    for (int64_t k = 0; k < n; k++, W += p, R += p, A += p, B += p, out += 3) {
        out[0] = duality_gap(p, W, R, c, A, B, reach, yy);
        out[1] = violation(p, W, R, A, B);
        out[2] = objective(p, W, R, c, A, B) + 0.5 * yy;
    }
}

/* 4: AVX-512, 3: AVX2, 1: the baseline of this build. */
/* The version of the package that this library was built for. */
SW_EXPORT const char *sw_version(void) { return SW_VERSION; }

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
