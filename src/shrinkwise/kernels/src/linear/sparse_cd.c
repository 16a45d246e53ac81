/* Columns that are never centred or densified: their moments, products with some of them, coordinate descent on the residual.
 *
 * Coordinate descent minimises, with m_j the weighted mean of column j (0 where nothing is centred),
 *
 *     (1/2n) sum_i s_i r_i^2 + sum_j a_j |w_j| + 1/2 sum_j b_j w_j^2,     r = z - sum_j w_j (x_j - m_j)
 *
 * sum_i s_i r_i = 0 stays true, so the gradient needs no centred column: with r = e + shift and S = sum_i s_i,
 *
 *     sum_i s_i (x_ij - m_j) r_i = sum_i x_ij (s e)_i + shift S m_j.
 *
 * The array carried along is v = s e. A step w_j += d takes d s_i x_ij from v where x_ij is stored, and adds d m_j to shift.
 * Columns are compressed sparse (row indices distinct, 32 or 64 bits) or dense in Fortran order; float64 or float32. All
 * sums are float64.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "../common.h"

typedef struct {
    int64_t n;
    const void *values;
    const void *rows, *starts; /* NULL: dense columns of length n */
    const double *s;           /* NULL: all weights 1 */
    double total;              /* S */
    int64_t wide;              /* rows and starts of 64 bits */
    int64_t single;            /* values of 32 bits */
} sw_matrix;

/* Size and offsets of the fields: the loader holds the declaration in Python to them. */
SW_EXPORT void sw_matrix_layout(int64_t *out)
{
    const size_t layout[] = {
        sizeof(sw_matrix),
        offsetof(sw_matrix, n), offsetof(sw_matrix, values), offsetof(sw_matrix, rows),
        offsetof(sw_matrix, starts), offsetof(sw_matrix, s), offsetof(sw_matrix, total),
        offsetof(sw_matrix, wide), offsetof(sw_matrix, single),
    };
    for (size_t i = 0; i < sizeof layout / sizeof *layout; i++)
        out[i] = (int64_t)layout[i];
}

/* Every function below is compiled once for each kind of storage and of value. */
enum { ROWS32, ROWS64, DENSE };
#define SW_DISPATCH(function, ...)                                                                                       \
    if (X->starts == NULL)                                                                                               \
        return X->single ? function(X, DENSE, 1, __VA_ARGS__) : function(X, DENSE, 0, __VA_ARGS__);                      \
    if (X->wide)                                                                                                         \
        return X->single ? function(X, ROWS64, 1, __VA_ARGS__) : function(X, ROWS64, 0, __VA_ARGS__);                    \
    return X->single ? function(X, ROWS32, 1, __VA_ARGS__) : function(X, ROWS32, 0, __VA_ARGS__)

/* Entries of column j: [begin, end). */
typedef struct {
    int64_t begin, end;
} sw_span;

SW_INLINE sw_span span(const sw_matrix *X, const int kind, int64_t j)
{
    if (kind == DENSE)
        return (sw_span){j * X->n, (j + 1) * X->n};
    if (kind == ROWS64)
        return (sw_span){((const int64_t *)X->starts)[j], ((const int64_t *)X->starts)[j + 1]};
    return (sw_span){((const int32_t *)X->starts)[j], ((const int32_t *)X->starts)[j + 1]};
}

SW_INLINE int64_t row(const sw_matrix *X, const int kind, sw_span at, int64_t k)
{
    return kind == DENSE ? k - at.begin : kind == ROWS64 ? ((const int64_t *)X->rows)[k] : ((const int32_t *)X->rows)[k];
}

SW_INLINE double value(const sw_matrix *X, const int single, int64_t k)
{
    return single ? (double)((const float *)X->values)[k] : ((const double *)X->values)[k];
}

/* Listed columns lie far apart: asks for the one visited a few steps from now, which no hardware foresees. */
SW_INLINE void foresee(const sw_matrix *X, const int kind, const int single, const int64_t *list, int64_t k, int64_t count)
{
    if (kind == DENSE || k + 8 >= count)
        return;
    const sw_span at = span(X, kind, list[k + 8]);
    const int64_t end = at.end < at.begin + 64 ? at.end : at.begin + 64, value_size = single ? 4 : 8, row_size = kind == ROWS64 ? 8 : 4;
    for (int64_t q = at.begin; q < end; q += 64 / value_size)
        SW_PREFETCH((const char *)X->values + q * value_size);
    for (int64_t q = at.begin; q < end; q += 64 / row_size)
        SW_PREFETCH((const char *)X->rows + q * row_size);
}

/* x_j'v */
SW_INLINE double dot(const sw_matrix *X, const int kind, const int single, sw_span at, const double *v)
{
    double sums[8] = {0.0};
    int64_t k = at.begin;
    for (; k + 8 <= at.end; k += 8)
        for (int u = 0; u < 8; u++)
            sums[u] += value(X, single, k + u) * v[row(X, kind, at, k + u)];
    for (; k < at.end; k++)
        sums[0] += value(X, single, k) * v[row(X, kind, at, k)];
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/* v += step s x_j. Sparse rows are left to scalar code: vector scatters are slower than it. */
SW_INLINE void add(const sw_matrix *X, const int kind, const int single, sw_span at, double step, const double *s, double *v)
{
    if (kind == DENSE) {
        SW_IVDEP
        for (int64_t k = at.begin; k < at.end; k++)
            v[k - at.begin] += step * value(X, single, k) * (s == NULL ? 1.0 : s[k - at.begin]);
        return;
    }
    for (int64_t k = at.begin; k < at.end; k++) {
        const int64_t i = row(X, kind, at, k);
        v[i] += step * value(X, single, k) * (s == NULL ? 1.0 : s[i]);
    }
}

SW_INLINE int64_t descend(const sw_matrix *X, const int kind, const int single, int64_t count, const int64_t *columns,
                          const double *means, const double *curvature, const double *a, const double *b, double *w, double *v,
                          int64_t *active, double tol, int64_t max_sweeps)
{
    const double scale = 1.0 / (double)X->n;
    double *shift = v + X->n;
    int64_t left = max_sweeps, full = 0, active_count = 0;
    int over_all = 1;
    while (left-- > 0) {
        const int64_t visits = over_all ? count : active_count;
        const int64_t *list = over_all ? columns : active;
        double moved = 0.0;
        if (over_all)
            active_count = 0, full++;
        for (int64_t k = 0; k < visits; k++) {
            const int64_t j = list[k];
            const double d = curvature[j] + b[j];
            foresee(X, kind, single, list, k, visits);
            if (d > 0.0) {
                const sw_span at = span(X, kind, j);
                const double sum = dot(X, kind, single, at, v) + *shift * X->total * means[j];
                const double z = curvature[j] > 0.0 ? sum * scale + curvature[j] * w[j] : 0.0; /* constant: sum is rounding */
                const double excess = fabs(z) - a[j];
                const double next = excess > 0.0 ? copysign(excess, z) / d : 0.0, step = next - w[j];
                if (step != 0.0) {
                    w[j] = next;
                    add(X, kind, single, at, -step, X->s, v);
                    *shift += step * means[j];
                    moved = fabs(step) * d > moved ? fabs(step) * d : moved;
                }
            }
            if (over_all && w[j] != 0.0)
                active[active_count++] = j;
        }
        if (!(moved > tol) && over_all)
            return full;
        over_all = !(moved > tol);
    }
    return -full;
}

SW_INLINE int64_t moments(const sw_matrix *X, const int kind, const int single, int64_t count, const int64_t *columns,
                          int64_t centre, double *means, double *curvature)
{
    for (int64_t c = 0; c < count; c++) {
        const sw_span at = span(X, kind, columns[c]);
        double weight = 0.0, sum = 0.0, squares = 0.0, spread = 0.0;
        foresee(X, kind, single, columns, c, count);
        for (int64_t k = at.begin; k < at.end; k++) {
            const double x = value(X, single, k), t = X->s == NULL ? 1.0 : X->s[row(X, kind, at, k)];
            weight += t;
            sum += t * x;
            squares += t * x * x;
        }
        const double mean = centre ? sum / X->total : 0.0;
        for (int64_t k = at.begin; k < at.end; k++) {
            const double x = value(X, single, k) - mean, t = X->s == NULL ? 1.0 : X->s[row(X, kind, at, k)];
            spread += t * x * x;
        }
        if (X->total > weight)
            spread += (X->total - weight) * mean * mean;
        means[columns[c]] = mean;
        curvature[columns[c]] = spread > 1e-30 * (double)(at.end - at.begin) * squares ? spread / (double)X->n : 0.0;
    }
    return count;
}

SW_INLINE int64_t times(const sw_matrix *X, const int kind, const int single, int64_t count, const int64_t *columns,
                        const double *w, double *out)
{
    for (int64_t c = 0; c < count; c++) {
        foresee(X, kind, single, columns, c, count);
        if (w[c] != 0.0)
            add(X, kind, single, span(X, kind, columns[c]), w[c], NULL, out);
    }
    return count;
}

SW_INLINE int64_t transposed(const sw_matrix *X, const int kind, const int single, int64_t count, const int64_t *columns,
                             const double *v, double *out)
{
    for (int64_t c = 0; c < count; c++) {
        foresee(X, kind, single, columns, c, count);
        out[c] = dot(X, kind, single, span(X, kind, columns[c]), v);
    }
    return count;
}

/* w: start in, solution out, all columns of X. v = s e and, in its last place n, the shift; kept up to date.
 * active: count entries of scratch. Only the listed columns are visited.
 * Returns the number of sweeps over all listed columns, negative when max_sweeps sweeps did not converge. */
SW_EXPORT SW_CLONES int64_t sw_sparse_cd(const sw_matrix *X, int64_t count, const int64_t *columns, const double *means,
                                         const double *curvature, const double *a, const double *b, double *w, double *v,
                                         int64_t *active, double tol, int64_t max_sweeps)
{
    SW_DISPATCH(descend, count, columns, means, curvature, a, b, w, v, active, tol, max_sweeps);
}

/* means_j = (1/S) sum_i s_i x_ij, or 0 unless centre, and curvature_j = (1/n) sum_i s_i (x_ij - means_j)^2 of the listed
 * columns, 0 where it is no more than the rounding of the mean. Two passes: sum s x^2 - S m^2 would cancel. */
SW_EXPORT SW_CLONES int64_t sw_sparse_moments(const sw_matrix *X, int64_t count, const int64_t *columns, int64_t centre,
                                              double *means, double *curvature)
{
    SW_DISPATCH(moments, count, columns, centre, means, curvature);
}

/* out (n) += sum_c w_c x_columns[c] */
SW_EXPORT SW_CLONES int64_t sw_sparse_times(const sw_matrix *X, int64_t count, const int64_t *columns, const double *w, double *out)
{
    SW_DISPATCH(times, count, columns, w, out);
}

/* out_c = x_columns[c]'v */
SW_EXPORT SW_CLONES int64_t sw_sparse_transposed(const sw_matrix *X, int64_t count, const int64_t *columns, const double *v,
                                                 double *out)
{
    SW_DISPATCH(transposed, count, columns, v, out);
}
