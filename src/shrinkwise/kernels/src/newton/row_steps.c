/* The arithmetic of proximal Newton steps for one linear predictor eta = X w + b (+ offset) and an L1 + L2 penalty:
 *
 *     minimise  1/n sum_i s_i f(y_i, eta_i) + sum_j a_j |w_j| + 1/2 sum_j b_j w_j^2
 *
 *   start       f, f' and the vectors that follow from them at eta
 *   look        gradients, violations of stationarity and the duality gap of the better of two dual points
 *   step        the step that minimises a quadratic model, by coordinate descent
 *   search      backtracking along a step; eta, w and b there, and the dual point that the model predicts
 *   intercept   Newton steps in b alone
 *
 * NumPy spends a millisecond on some forty operations a step, whatever the number of rows. The rules (when a model is built,
 * when it has been enough) are the caller's, as are all arrays.
 */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../common.h"
#include "row_losses.h"

int64_t sw_model_cd(int64_t m, int64_t stride, const float *H, const double *a, const double *b, double *w, double *r,
                    double *work, float *change, int64_t *order, double tol, int64_t max_sweeps);
void sw_columns_transposed(int64_t n, int64_t stride, const void *X, int64_t single, int64_t m, const int64_t *ids, int64_t K,
                           const double *V, double *out);
void sw_columns_times(int64_t n, int64_t stride, const void *X, int64_t single, int64_t m, const int64_t *ids, const double *d,
                      double *out);

/* Every field: its type and its name. (n), (m), (k) are the lengths of arrays: rows, columns in front, columns in the model. */
#define FIELDS(FIELD)                                                                                                      \
    FIELD(int64_t, loss)                                                                                                   \
    FIELD(int64_t, n)                                                                                                      \
    FIELD(int64_t, fit_intercept)                                                                                          \
    FIELD(const double *, y)           /* (n) */                                                                           \
    FIELD(const double *, s)           /* (n) sample weights, or NULL: all 1 */                                            \
    FIELD(const double *, offset)      /* (n), or NULL */                                                                  \
    FIELD(const double *, dual_offset) /* (n), or NULL: as the duality gap counts it */                                    \
    FIELD(double, null_loss)                                                                                               \
    FIELD(double *, eta)               /* (n) */                                                                           \
    FIELD(double *, rows)              /* (n) f */                                                                         \
    FIELD(double *, slopes)            /* (n) f' */                                                                        \
    FIELD(double *, V)                 /* (2, n) s f', s offered */                                                        \
    FIELD(double *, offered)           /* (n) the dual point that a model has predicted */                                 \
    FIELD(double *, scratch)           /* (4, n) */                                                                        \
    FIELD(int64_t, has_offered)                                                                                            \
    FIELD(int64_t, m)                                                                                                      \
    FIELD(int64_t, single)             /* whether X is in single precision */                                              \
    FIELD(const void *, X)             /* (m, n), a row for each column */                                                 \
    FIELD(const int64_t *, places)     /* (m) 0, 1, ... */                                                                 \
    FIELD(const double *, a)           /* (m) */                                                                           \
    FIELD(const double *, b)           /* (m) */                                                                           \
    FIELD(double *, w)                 /* (m) */                                                                           \
    FIELD(double *, gradients)         /* (2, m) X'V / n */                                                                \
    FIELD(double *, d)                 /* (m) the step */                                                                  \
    FIELD(uint8_t *, moving)           /* (m) */                                                                           \
    FIELD(int64_t, k)                                                                                                      \
    FIELD(int64_t, stride)                                                                                                 \
    FIELD(const float *, H)            /* (k, stride) */                                                                   \
    FIELD(const int64_t *, pos)        /* (k) the places of the columns of the model */                                    \
    FIELD(const double *, M)           /* (k) their coupling with the intercept */                                         \
    FIELD(const double *, curvature)   /* (n) of the rows, weights and 1/n in it */                                        \
    FIELD(double, T_inverse)           /* 1 / the curvature of the intercept */                                            \
    FIELD(double *, work)              /* (11 k) */                                                                        \
    FIELD(float *, change)             /* (2 k) */                                                                         \
    FIELD(int64_t *, order)            /* (k) */                                                                           \
    FIELD(double, intercept)                                                                                               \
    FIELD(double, db)                  /* the step of the intercept */                                                     \
    FIELD(double, gb)                  /* its gradient */                                                                  \
    FIELD(double, worst)               /* largest violation of a weight */                                                 \
    FIELD(double, gap)                 /* relative, infinite where a bound or a weight without penalty says that it is too large */ \
    FIELD(int64_t, dual)               /* of which it is: 1 f', 2 offered, 0 none */                                       \
    FIELD(double, size)                /* sum |w| */                                                                       \
    FIELD(double, t)                   /* length of the step that was taken, 0: none */                                    \
    FIELD(int64_t, at_rounding)        /* whether the step promised less than the objective can show */

#define MEMBER(TYPE, NAME) TYPE NAME;
typedef struct {
    FIELDS(MEMBER)
} newton_job;

/* Size and offsets of the fields: the loader holds the declaration in Python to them. */
SW_EXPORT void sw_newton_layout(int64_t *out)
{
#define OFFSET(TYPE, NAME) *out++ = (int64_t)offsetof(newton_job, NAME);
    *out++ = (int64_t)sizeof(newton_job);
    FIELDS(OFFSET)
}

/* sum s x */
SW_INLINE double weighted_sum(const newton_job *job, const double *x)
{
    const double *s = job->s;
    double sum = 0.0;
    if (s) {
        _Pragma("omp simd reduction(+ : sum)") for (int64_t t = 0; t < job->n; t++) sum += s[t] * x[t];
    } else {
        _Pragma("omp simd reduction(+ : sum)") for (int64_t t = 0; t < job->n; t++) sum += x[t];
    }
    return sum;
}

/* v = s x */
SW_INLINE void weigh(const newton_job *job, const double *x, double *v)
{
    if (job->s) {
        EVERY_ROW(job->n) v[t] = job->s[t] * x[t];
    } else {
        memcpy(v, x, (size_t)job->n * sizeof *v);
    }
}

SW_INLINE double penalty(const newton_job *job, const double *w)
{
    double sum = 0.0;
    for (int64_t j = 0; j < job->m; j++)
        sum += job->a[j] * fabs(w[j]) + 0.5 * job->b[j] * w[j] * w[j];
    return sum;
}

SW_INLINE void follow(newton_job *job)
{
    weigh(job, job->slopes, job->V);
    job->gb = weighted_sum(job, job->slopes) / (double)job->n;
}

SW_EXPORT SW_CLONES void sw_newton_start(newton_job *job)
{
    values_and_slopes(job->loss, job->n, job->y, job->eta, job->rows, job->slopes);
    follow(job);
    job->has_offered = 0;
}

/* What L1 + L2 make of the gradient u in the duality gap; see `l1_l2_term`. */
typedef struct {
    double alpha, conjugate, slack, along; /* along: <w, u> */
} dual_term;

SW_INLINE dual_term term_of(const newton_job *job, const double *u)
{
    const double *a = job->a, *b = job->b, *w = job->w;
    dual_term of = {1.0, 0.0, 0.0, 0.0};
    for (int64_t j = 0; j < job->m; j++) {
        const double size = fabs(u[j]);
        of.along += w[j] * u[j];
        if (b[j] == 0.0 && a[j] > 0.0 && size * of.alpha > a[j])
            of.alpha = a[j] / size;
        else if (!(a[j] > 0.0 || b[j] > 0.0))
            of.slack += fabs(w[j]) * size;
    }
    for (int64_t j = 0; j < job->m; j++) {
        const double excess = of.alpha * fabs(u[j]) - a[j];
        if (b[j] > 0.0 && excess > 0.0)
            of.conjugate += 0.5 * excess * excess / b[j];
    }
    return of;
}

/* See `relative_gap`; penalties is the penalty plus its conjugate. */
SW_INLINE double relative_gap(const newton_job *job, const double *v, double alpha, double penalties, double slack)
{
    double *sums = job->scratch, farthest = 0.0;
    if (!(job->null_loss > 0.0))
        return 0.0;
    conjugates(job->loss, job->n, job->y, alpha, v, sums);
    EVERY_ROW(job->n) sums[t] += job->rows[t];
    if (job->dual_offset)
        EVERY_ROW(job->n) sums[t] -= alpha * v[t] * job->dual_offset[t];
    if (job->fit_intercept) {
        for (int64_t t = 0; t < job->n; t++)
            farthest = fabs(job->eta[t]) > farthest ? fabs(job->eta[t]) : farthest;
        slack += fabs(weighted_sum(job, v)) / (double)job->n * (1.0 + farthest);
    }
    const double gap = weighted_sum(job, sums) / (double)job->n + penalties;
    return ((gap > 0.0 ? gap : 0.0) + slack) / job->null_loss;
}

/* Gradients, violations and which weights may move; the gap down to goal, if no violation of a weight without penalty is above
 * free_goal. */
SW_EXPORT SW_CLONES void sw_newton_look(newton_job *job, double goal, double free_goal)
{
    const int64_t m = job->m;
    const double *a = job->a, *b = job->b, *w = job->w, *g = job->gradients;
    double free_worst = 0.0;
    sw_columns_transposed(job->n, job->n, job->X, job->single, m, job->places, 1 + job->has_offered, job->V, job->gradients);
    for (int64_t i = 0; i < (1 + job->has_offered) * m; i++)
        job->gradients[i] /= (double)job->n;
    job->worst = job->size = 0.0;
    for (int64_t j = 0; j < m; j++) {
        const double slope = g[j] + b[j] * w[j];
        const double off = w[j] != 0.0 ? fabs(slope + copysign(a[j], w[j])) : fabs(slope) - a[j];
        const int is_free = a[j] == 0.0 && b[j] == 0.0;
        job->size += fabs(w[j]);
        job->worst = off <= job->worst || job->worst != job->worst ? job->worst : off; /* a NaN stays */
        job->moving[j] = w[j] != 0.0 || off > 0.0 || is_free;
        free_worst = is_free && off > free_worst ? off : free_worst;
    }
    job->gap = INFINITY;
    job->dual = 0;
    if (free_worst > free_goal)
        return;
    const double value = penalty(job, w);
    for (int64_t which = 1 + job->has_offered; which > 0 && !(job->gap <= goal); which--) {
        const double *v = which == 2 ? job->offered : job->slopes;
        const dual_term of = term_of(job, job->gradients + (which - 1) * m);
        /* f + f*(alpha v) >= alpha v eta: what this leaves of the gap is there, whatever the conjugate, which costs a pass. */
        if (value + of.conjugate + of.alpha * of.along > goal * job->null_loss)
            continue;
        const double gap = relative_gap(job, v, of.alpha, value + of.conjugate, of.slack);
        if (gap < job->gap)
            job->gap = gap, job->dual = which;
    }
}

/* d, db: the step that minimises the model plus the penalty, each coordinate to tol. */
SW_EXPORT void sw_newton_step(newton_job *job, double tol)
{
    const int64_t k = job->k;
    double *w = job->work, *r = w + k, *a = r + k, *b = a + k, along = 0.0;
    const double shift = job->fit_intercept ? job->T_inverse * job->gb : 0.0;
    for (int64_t i = 0; i < k; i++) {
        const int64_t j = job->pos[i];
        w[i] = job->w[j];
        r[i] = job->M[i] * shift - job->gradients[j];
        a[i] = job->a[j];
        b[i] = job->b[j];
    }
    sw_model_cd(k, job->stride, job->H, a, b, w, r, b + k, job->change, job->order, tol, 100);
    for (int64_t j = 0; j < job->m; j++)
        job->d[j] = 0.0;
    for (int64_t i = 0; i < k; i++) {
        const int64_t j = job->pos[i];
        job->d[j] = w[i] - job->w[j];
        along += job->M[i] * job->d[j];
    }
    job->db = job->fit_intercept ? -job->T_inverse * (job->gb + along) : 0.0;
}

/* The dual point that a model predicts for the change of eta by along, from f' before it. */
SW_INLINE void offer(newton_job *job, const double *along)
{
    EVERY_ROW(job->n) {
        const double s = job->s ? job->s[t] : 1.0;
        const double v = job->slopes[t] + (s > 0.0 ? job->curvature[t] * along[t] * ((double)job->n / s) : 0.0);
        job->offered[t] = dual_feasible(job->loss, job->y[t], v);
    }
    weigh(job, job->offered, job->V + job->n);
}

/* Backtracking along d, db until F(new) <= F + 1e-4 t D, D = <g, d> + pen(w + d) - pen(w). */
SW_EXPORT SW_CLONES void sw_newton_search(newton_job *job)
{
    const int64_t n = job->n, m = job->m;
    double *along = job->scratch, *eta = along + n, *rows = eta + n, *slopes = rows + n;
    double *w = job->w, *d = job->d, longest = fabs(job->db), promised = job->gb * job->db, at_w = penalty(job, w);
    sw_columns_times(n, n, job->X, job->single, m, job->places, d, along);
    EVERY_ROW(n) along[t] += job->db;
    for (int64_t j = 0; j < m; j++) {
        longest = fabs(d[j]) > longest ? fabs(d[j]) : longest;
        promised += job->gradients[j] * d[j];
    }
    const double loss = weighted_sum(job, job->rows) / (double)n, rounding = DBL_EPSILON * fabs(loss + at_w);
    job->t = 0.0;
    double t_now = 1.0, decrease = 0.0;
    for (int tries = 0; tries < 40; tries++, t_now *= 0.5) {
        double at_new = 0.0;
        for (int64_t j = 0; j < m; j++) {
            const double new = w[j] + t_now * d[j];
            at_new += job->a[j] * fabs(new) + 0.5 * job->b[j] * new * new;
        }
        if (tries == 0) {
            decrease = promised + at_new - at_w;
            job->at_rounding = -decrease <= 16.0 * rounding;
        }
        EVERY_ROW(n) eta[t] = job->eta[t] + t_now * along[t];
        values_and_slopes(job->loss, n, job->y, eta, rows, slopes);
        const double change = weighted_sum(job, rows) / (double)n - loss - at_w + at_new;
        if (change <= 1e-4 * t_now * decrease + 4.0 * rounding) {
            if (!(t_now * longest > 0.0))
                return;
            job->t = t_now;
            break;
        }
    }
    if (!(job->t > 0.0))
        return;
    for (int64_t j = 0; j < m; j++)
        w[j] += t_now * d[j];
    job->intercept += t_now * job->db;
    job->has_offered = t_now == 1.0;
    if (job->has_offered)
        offer(job, along);
    memcpy(job->eta, eta, (size_t)n * sizeof *eta);
    memcpy(job->rows, rows, (size_t)n * sizeof *rows);
    memcpy(job->slopes, slopes, (size_t)n * sizeof *slopes);
    follow(job);
}

/* eta from w and the intercept, so that rounding errors do not accumulate along a path, and Newton steps in the intercept alone
 * until its gradient no longer decreases. The offered dual point stays. */
SW_EXPORT SW_CLONES void sw_newton_intercept(newton_job *job)
{
    const int64_t n = job->n;
    double *eta = job->scratch, *rows = eta + n, *slopes = rows + n, T = 0.0;
    sw_columns_times(n, n, job->X, job->single, job->m, job->places, job->w, job->eta);
    EVERY_ROW(n) job->eta[t] += job->intercept + (job->offset ? job->offset[t] : 0.0);
    values_and_slopes(job->loss, n, job->y, job->eta, job->rows, job->slopes);
    follow(job);
    for (int step = 0; job->fit_intercept && step < 6 && fabs(job->gb) > 32.0 * DBL_EPSILON; step++) {
        if (step == 0) { /* once is enough: near the end the curvature does not change */
            EVERY_ROW(n) slopes[t] = curvature_of(job->loss, job->y[t], job->slopes[t]);
            T = weighted_sum(job, slopes) / (double)n;
        }
        const double db = -job->gb / (T > 1e-300 ? T : 1e-300);
        EVERY_ROW(n) eta[t] = job->eta[t] + db;
        values_and_slopes(job->loss, n, job->y, eta, rows, slopes);
        if (!(fabs(weighted_sum(job, slopes) / (double)n) < fabs(job->gb)))
            return;
        job->intercept += db;
        memcpy(job->eta, eta, (size_t)n * sizeof *eta);
        memcpy(job->rows, rows, (size_t)n * sizeof *rows);
        memcpy(job->slopes, slopes, (size_t)n * sizeof *slopes);
        follow(job);
    }
}
