/* Products of some columns with a few vectors, and their sum with weights, columns in single or double precision, all sums in
 * double. A block of rows of the vectors stays in the cache while all columns pass it once, whatever the number of vectors:
 * the time is that of reading the columns. */
#include <stddef.h>
#include <stdint.h>

#include "../common.h"

enum { BLOCK = 2048 }; /* rows: a block of two vectors is 32 KB */

/* out[k * m + i] += sum over the block of column i times vector k, for four columns and two vectors at a time. */
#define DOTS(NAME, REAL)                                                                                                   \
    SW_INLINE void NAME##_four(int64_t rows, const REAL *const x[4], const double *u, const double *v, double *s)         \
    {                                                                                                                      \
        const REAL *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];                                                         \
        double u0 = 0.0, u1 = 0.0, u2 = 0.0, u3 = 0.0, v0 = 0.0, v1 = 0.0, v2 = 0.0, v3 = 0.0;                             \
        _Pragma("omp simd reduction(+ : u0, u1, u2, u3, v0, v1, v2, v3)") for (int64_t t = 0; t < rows; t++)              \
        {                                                                                                                  \
            const double ut = u[t], vt = v[t];                                                                             \
            u0 += (double)x0[t] * ut, v0 += (double)x0[t] * vt;                                                            \
            u1 += (double)x1[t] * ut, v1 += (double)x1[t] * vt;                                                            \
            u2 += (double)x2[t] * ut, v2 += (double)x2[t] * vt;                                                            \
            u3 += (double)x3[t] * ut, v3 += (double)x3[t] * vt;                                                            \
        }                                                                                                                  \
        s[0] = u0, s[1] = u1, s[2] = u2, s[3] = u3, s[4] = v0, s[5] = v1, s[6] = v2, s[7] = v3;                            \
    }                                                                                                                      \
    SW_INLINE void NAME(int64_t rows, int64_t stride, const REAL *X, int64_t m, const int64_t *ids, int64_t n, int64_t K, \
                        const double *V, double *out)                                                                     \
    {                                                                                                                      \
        for (int64_t i = 0; i < m; i += 4) {                                                                               \
            const int64_t count = m - i < 4 ? m - i : 4;                                                                   \
            const REAL *x[4];                                                                                              \
            double s[8];                                                                                                   \
            for (int64_t c = 0; c < 4; c++) /* the last four may be one column several times */                            \
                x[c] = X + ids[c < count ? i + c : i] * stride;                                                            \
            for (int64_t k = 0; k < K; k += 2) {                                                                           \
                NAME##_four(rows, x, V + k * n, V + (k + 1 < K ? k + 1 : k) * n, s);                                       \
                for (int64_t c = 0; c < count; c++) {                                                                      \
                    out[k * m + i + c] += s[c];                                                                            \
                    if (k + 1 < K)                                                                                         \
                        out[(k + 1) * m + i + c] += s[4 + c];                                                              \
                }                                                                                                          \
            }                                                                                                              \
        }                                                                                                                  \
    }
DOTS(dots_single, float)
DOTS(dots_double, double)

/* out[t] += sum_i d_i column_i[t]; columns of weight 0 are not read. */
#define SUM(NAME, REAL)                                                                                                    \
    SW_INLINE void NAME(int64_t rows, int64_t stride, const REAL *X, int64_t m, const int64_t *ids, const double *d,      \
                        double *out)                                                                                       \
    {                                                                                                                      \
        const REAL *x[4];                                                                                                  \
        double c[4];                                                                                                       \
        int count = 0;                                                                                                     \
        for (int64_t i = 0; i < m; i++) {                                                                                  \
            if (d[i] != 0.0)                                                                                               \
                c[count] = d[i], x[count++] = X + ids[i] * stride;                                                     \
            if (count == 4) {                                                                                              \
                SW_IVDEP                                                                                                   \
                for (int64_t t = 0; t < rows; t++)                                                                         \
                    out[t] += c[0] * (double)x[0][t] + c[1] * (double)x[1][t] + c[2] * (double)x[2][t]                     \
                              + c[3] * (double)x[3][t];                                                                    \
                count = 0;                                                                                                 \
            }                                                                                                              \
        }                                                                                                                  \
        for (int i = 0; i < count; i++)                                                                                    \
            for (int64_t t = 0; t < rows; t++)                                                                             \
                out[t] += c[i] * (double)x[i][t];                                                                          \
    }
SUM(sum_single, float)
SUM(sum_double, double)

/* X: column j starts at X + j stride and has n entries: those of ids[0 .. m-1] take part.
 * V: K vectors of n. out: K rows of m. */
SW_EXPORT SW_CLONES void sw_columns_transposed(int64_t n, int64_t stride, const void *X, int64_t single, int64_t m,
                                               const int64_t *ids, int64_t K, const double *V, double *out)
{
    for (int64_t i = 0; i < K * m; i++)
        out[i] = 0.0;
    for (int64_t at = 0; at < n; at += BLOCK) {
        const int64_t rows = n - at < BLOCK ? n - at : BLOCK;
        if (single)
            dots_single(rows, stride, (const float *)X + at, m, ids, n, K, V + at, out);
        else
            dots_double(rows, stride, (const double *)X + at, m, ids, n, K, V + at, out);
    }
}

/* out (n) = sum_i d_i column_i, the columns as above. */
SW_EXPORT SW_CLONES void sw_columns_times(int64_t n, int64_t stride, const void *X, int64_t single, int64_t m,
                                          const int64_t *ids, const double *d, double *out)
{
    for (int64_t at = 0; at < n; at += BLOCK) {
        const int64_t rows = n - at < BLOCK ? n - at : BLOCK;
        for (int64_t t = 0; t < rows; t++)
            out[at + t] = 0.0;
        if (single)
            sum_single(rows, stride, (const float *)X + at, m, ids, d, out + at);
        else
            sum_double(rows, stride, (const double *)X + at, m, ids, d, out + at);
    }
}
