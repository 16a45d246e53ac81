/* Proximal maps that training calls at every step: one read and one write of memory, several tensors in one call.
 *
 *   separable   out = soft(in, threshold) * shrink                    (L1, L2, elastic net)
 *   rows        out = in * max(1 - threshold_g / ||in_g||, 0)         in of shape (rows, columns), a group a row
 *   columns     the same, a group a column
 *
 * in == out is allowed. Squares are summed in double. NaN propagates: every test below is false for NaN on the side that
 * keeps it. The caller decides on threads; the pool is torch's own (GOMP_parallel of the libgomp that torch has loaded).
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../common.h"
#include "../parallel.h"

typedef struct {
    const void *in;
    void *out;
    int64_t rows, columns;    /* separable: rows = 1 */
    const double *thresholds; /* separable: one; rows, columns: one a group */
    double shrink;            /* separable only */
} sw_prox_job;

/* Size and offsets of the fields: the loader holds the declaration in Python to them. */
SW_EXPORT void sw_prox_layout(int64_t *out)
{
    const size_t layout[] = {
        sizeof(sw_prox_job),
        offsetof(sw_prox_job, in), offsetof(sw_prox_job, out), offsetof(sw_prox_job, rows),
        offsetof(sw_prox_job, columns), offsetof(sw_prox_job, thresholds), offsetof(sw_prox_job,
        shrink),
    };
    for (size_t i = 0; i < sizeof layout / sizeof *layout; i++)
        out[i] = (int64_t)layout[i];
}

enum { SW_SEPARABLE = 0, SW_ROWS = 1, SW_COLUMNS = 2 };

static double shrink_factor(double squares, double threshold)
{
    const double norm = sqrt(squares);
    if (!(threshold > 0.0))
        return 1.0;
    return norm <= threshold ? 0.0 : 1.0 - threshold / norm;
}

/* Columns handled at once: their sums fit in the second-level cache. */
enum { WIDEST = 8192, NARROW = 2048 };
/* Entries from which a result will not be found in a cache by who reads it next. */
enum { LARGE = 1 << 21 };

#define SW_DEFINE(T, NAME)                                                                                             \
    SW_CLONES static void separable_##NAME(const T *in, T *out, int64_t from, int64_t to, T threshold, T shrink)       \
    {                                                                                                                  \
        for (int64_t i = from; i < to; i++) {                                                                          \
            const T x = in[i];                                                                                         \
            T clipped = x < -threshold ? -threshold : x;                                                               \
            clipped = clipped > threshold ? threshold : clipped;                                                       \
            out[i] = (x - clipped) * shrink;                                                                           \
        }                                                                                                              \
    }                                                                                                                  \
    SW_CLONES static void rows_##NAME(const sw_prox_job *job, int64_t from, int64_t to)                                \
    {                                                                                                                  \
        const int64_t n = job->columns;                                                                                \
        for (int64_t g = from; g < to; g++) {                                                                          \
            const T *x = (const T *)job->in + g * n;                                                                   \
            T *y = (T *)job->out + g * n;                                                                              \
            double sums[8] = {0};                                                                                      \
            int64_t i = 0;                                                                                             \
            for (; i + 8 <= n; i += 8)                                                                                 \
                for (int k = 0; k < 8; k++)                                                                            \
                    sums[k] += (double)x[i + k] * (double)x[i + k];                                                    \
            double squares = ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7])); \
            for (; i < n; i++)                                                                                         \
                squares += (double)x[i] * (double)x[i];                                                                \
            const T factor = (T)shrink_factor(squares, job->thresholds[g]);                                            \
            for (i = 0; i < n; i++)                                                                                    \
                y[i] = x[i] * factor;                                                                                  \
        }                                                                                                              \
    }                                                                                                                  \
    /* Eight rows at a time, so that the sums are loaded and stored once for eight reads of memory. */                 \
    SW_CLONES static void column_squares_##NAME(const T *x, int64_t rows, int64_t stride, int64_t width, double *squares)\
    {                                                                                                                  \
        int64_t i = 0;                                                                                                 \
        for (; i + 8 <= rows; i += 8, x += 8 * stride) {                                                               \
            const T *a = x, *b = a + stride, *c = b + stride, *d = c + stride;                                         \
            const T *e = d + stride, *f = e + stride, *g = f + stride, *h = g + stride;                                \
            for (int64_t k = 0; k < width; k++)                                                                        \
                squares[k] += (((double)a[k] * (double)a[k] + (double)b[k] * (double)b[k]) +                           \
                               ((double)c[k] * (double)c[k] + (double)d[k] * (double)d[k])) +                          \
                              (((double)e[k] * (double)e[k] + (double)f[k] * (double)f[k]) +                           \
                               ((double)g[k] * (double)g[k] + (double)h[k] * (double)h[k]));                           \
        }                                                                                                              \
        for (; i < rows; i++, x += stride)                                                                             \
            for (int64_t k = 0; k < width; k++)                                                                        \
                squares[k] += (double)x[k] * (double)x[k];                                                             \
    }                                                                                                                  \
    /* Factors that do not stay in the first-level cache beside a row are loaded once for four rows. Every entry depends */\
    /* on its own place alone, also when x is y. */                                                                    \
    SW_CLONES static void column_scale_##NAME(const T *x, T *y, int64_t rows, int64_t stride, int64_t width,           \
                                              const T *factors)                                                        \
    {                                                                                                                  \
        int64_t i = 0;                                                                                                 \
        for (; width > NARROW && i + 4 <= rows; i += 4) {                                                              \
            const T *a = x + i * stride, *b = a + stride, *c = b + stride, *d = c + stride;                            \
            T *p = y + i * stride, *q = p + stride, *r = q + stride, *s = r + stride;                                  \
            SW_IVDEP                                                                                                   \
            for (int64_t k = 0; k < width; k++) {                                                                      \
                const T factor = factors[k];                                                                           \
                p[k] = a[k] * factor;                                                                                  \
                q[k] = b[k] * factor;                                                                                  \
                r[k] = c[k] * factor;                                                                                  \
                s[k] = d[k] * factor;                                                                                  \
            }                                                                                                          \
        }                                                                                                              \
        for (; i < rows; i++)                                                                                          \
            for (int64_t k = 0; k < width; k++)                                                                        \
                y[i * stride + k] = x[i * stride + k] * factors[k];                                                    \
    }                                                                                                                  \
    static void columns_##NAME(const sw_prox_job *job, int64_t from, int64_t to)                                       \
    {                                                                                                                  \
        double squares[WIDEST];                                                                                        \
        T factors[WIDEST];                                                                                             \
        for (; from < to; from += WIDEST) {                                                                            \
            const int64_t width = from + WIDEST < to ? WIDEST : to - from;                                             \
            memset(squares, 0, sizeof squares);                                                                        \
            column_squares_##NAME((const T *)job->in + from, job->rows, job->columns, width, squares);                 \
            for (int64_t k = 0; k < width; k++)                                                                        \
                factors[k] = (T)shrink_factor(squares[k], job->thresholds[from + k]);                                  \
            column_scale_##NAME((const T *)job->in + from, (T *)job->out + from, job->rows, job->columns, width, factors);\
        }                                                                                                              \
    }                                                                                                                  \
    /* Large results go past the caches, a block of them at a time: their old contents need not be read first. */      \
    static void streamed_##NAME(const T *in, T *out, int64_t from, int64_t to, T threshold, T shrink)                  \
    {                                                                                                                  \
        enum { BLOCK = 4096 / sizeof(T) };                                                                             \
        SW_ALIGNED T block[BLOCK];                                                                                     \
        while (from < to && (uintptr_t)(out + from) % 64) {                                                            \
            separable_##NAME(in, out, from, from + 1, threshold, shrink);                                              \
            from++;                                                                                                    \
        }                                                                                                              \
        for (; from + BLOCK <= to; from += BLOCK) {                                                                    \
            separable_##NAME(in + from, block, 0, BLOCK, threshold, shrink);                                           \
            sw_stream(out + from, block, sizeof block);                                                                \
        }                                                                                                              \
        sw_stream_end();                                                                                               \
        separable_##NAME(in, out, from, to, threshold, shrink);                                                        \
    }                                                                                                                  \
    static void work_##NAME(int kind, const sw_prox_job *job, int64_t part, int64_t parts)                             \
    {                                                                                                                  \
        const int64_t units = kind == SW_ROWS ? job->rows : job->columns;                                              \
        const int64_t grain = kind == SW_ROWS ? 1 : 64 / (int64_t)sizeof(T); /* no cache line shared by two threads */ \
        const int64_t blocks = (units + grain - 1) / grain;                                                            \
        const int64_t from = blocks * part / parts * grain;                                                            \
        int64_t to = blocks * (part + 1) / parts * grain;                                                              \
        to = to < units ? to : units;                                                                                  \
        if (kind == SW_SEPARABLE && job->in != job->out && to - from >= LARGE)                                         \
            streamed_##NAME(job->in, job->out, from, to, (T)job->thresholds[0], (T)job->shrink);                       \
        else if (kind == SW_SEPARABLE)                                                                                 \
            separable_##NAME(job->in, job->out, from, to, (T)job->thresholds[0], (T)job->shrink);                      \
        else if (kind == SW_ROWS)                                                                                      \
            rows_##NAME(job, from, to);                                                                                \
        else                                                                                                           \
            columns_##NAME(job, from, to);                                                                             \
    }

SW_DEFINE(float, f32)
SW_DEFINE(double, f64)

typedef struct {
    int kind, is_double;
    int64_t count, parts;
    const sw_prox_job *jobs;
} call_t;

/* Some of the parts into which every job is cut. */
static void run(const void *data, int64_t from, int64_t to)
{
    const call_t *call = data;
    for (int64_t part = from; part < to; part++)
        for (int64_t k = 0; k < call->count; k++)
            (call->is_double ? work_f64 : work_f32)(call->kind, call->jobs + k, part, call->parts);
}

/* pool: see parallel.h. */
SW_EXPORT void sw_prox(int kind, int is_double, int64_t count, const sw_prox_job *jobs, int threads, void *const *pool)
{
    const int64_t parts = threads > 1 && pool ? threads : 1;
    const call_t call = {kind, is_double, count, parts, jobs};
    sw_parallel(run, &call, parts, 1, parts, pool);
}
