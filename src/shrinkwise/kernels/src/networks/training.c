/* What a training step does beside the optimizer's own, one pass over memory each, several tensors in one call.
 *
 *   lend     p = z - w;  z += shift * p;  w = g + slope * p            the gradient of the sum, in the memory of w;
 *            says whether g has a NaN or an infinity. With a threshold, w is soft(z, threshold) * shrink and is not read.
 *   metric   s = rate / (sqrt(v) * scale + eps);  w = soft(w, s * a) / (1 + s * b)      the prox in the metric of v
 *
 * The caller decides on threads; the pool is torch's own (GOMP_parallel of the libgomp that torch has loaded).
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../common.h"
#include "../parallel.h"

typedef struct {
    void *z;       /* lend: the latent;  metric: v, only read */
    void *w;       /* lend, metric */
    const void *g; /* lend */
    int64_t size;
    double slope, shift;           /* lend */
    double threshold, shrink;      /* lend: threshold < 0 where w is to be read */
    double rate, scale, eps, a, b; /* metric */
    int64_t infinite;              /* lend: set to 1 where g is not finite */
} sw_step_job;

/* Size and offsets of the fields: the loader holds the declaration in Python to them. */
SW_EXPORT void sw_training_layout(int64_t *out)
{
    const size_t layout[] = {
        sizeof(sw_step_job),
        offsetof(sw_step_job, z), offsetof(sw_step_job, w), offsetof(sw_step_job, g),
        offsetof(sw_step_job, size), offsetof(sw_step_job, slope), offsetof(sw_step_job, shift),
        offsetof(sw_step_job, threshold), offsetof(sw_step_job, shrink), offsetof(sw_step_job,
        rate), offsetof(sw_step_job, scale), offsetof(sw_step_job, eps), offsetof(sw_step_job, a),
        offsetof(sw_step_job, b), offsetof(sw_step_job, infinite),
    };
    for (size_t i = 0; i < sizeof layout / sizeof *layout; i++)
        out[i] = (int64_t)layout[i];
}

enum { SW_LEND = 0, SW_METRIC = 1 };
/* Entries from which a result will not be found in a cache by who reads it next. */
enum { LARGE = 1 << 21 };

#define SW_DEFINE(T, BITS, EXPONENT, SQRT, NAME)                                                                       \
    SW_CLONES static int lend_##NAME(T *restrict z, T *restrict w, const T *restrict g, int64_t from, int64_t to,      \
                                     T slope, T shift)                                                                 \
    {                                                                                                                  \
        BITS infinite = 0;                                                                                             \
        for (int64_t i = from; i < to; i++) {                                                                          \
            const T pull = z[i] - w[i], x = g[i];                                                                      \
            BITS bits;                                                                                                 \
            memcpy(&bits, &x, sizeof bits);                                                                            \
            infinite |= (BITS)((bits & EXPONENT) == EXPONENT);                                                         \
            w[i] = x + slope * pull;                                                                                   \
            if (shift != 0)                                                                                            \
                z[i] += shift * pull;                                                                                  \
        }                                                                                                              \
        return infinite == 0;                                                                                          \
    }                                                                                                                  \
    SW_CLONES static int map_##NAME(T *restrict z, T *restrict w, const T *restrict g, int64_t size, T slope, T shift, \
                                    T threshold, T shrink)                                                             \
    {                                                                                                                  \
        BITS infinite = 0;                                                                                             \
        for (int64_t i = 0; i < size; i++) {                                                                           \
            const T point = z[i], x = g[i];                                                                            \
            T clipped = point < -threshold ? -threshold : point;                                                       \
            clipped = clipped > threshold ? threshold : clipped;                                                       \
            const T pull = point - (point - clipped) * shrink;                                                         \
            BITS bits;                                                                                                 \
            memcpy(&bits, &x, sizeof bits);                                                                            \
            infinite |= (BITS)((bits & EXPONENT) == EXPONENT);                                                         \
            w[i] = x + slope * pull;                                                                                   \
            if (shift != 0)                                                                                            \
                z[i] = point + shift * pull;                                                                           \
        }                                                                                                              \
        return infinite == 0;                                                                                          \
    }                                                                                                                  \
    /* Large gradients of the sum go past the caches, so that the old contents of their memory are not read first. */  \
    static int mapped_##NAME(const sw_step_job *job, int64_t from, int64_t to)                                         \
    {                                                                                                                  \
        enum { BLOCK = 4096 / sizeof(T) };                                                                             \
        SW_ALIGNED T block[BLOCK];                                                                                     \
        T *z = job->z, *w = job->w;                                                                                    \
        const T *g = job->g, slope = (T)job->slope, shift = (T)job->shift;                                             \
        const T threshold = (T)job->threshold, shrink = (T)job->shrink;                                                \
        int finite = 1;                                                                                                \
        if (to - from >= LARGE && (uintptr_t)(w + from) % 64 == 0) {                                                   \
            for (; from + BLOCK <= to; from += BLOCK) {                                                                \
                finite &= map_##NAME(z + from, block, g + from, BLOCK, slope, shift, threshold, shrink);               \
                sw_stream(w + from, block, sizeof block);                                                              \
            }                                                                                                          \
            sw_stream_end();                                                                                           \
        }                                                                                                              \
        return finite & map_##NAME(z + from, w + from, g + from, to - from, slope, shift, threshold, shrink);          \
    }                                                                                                                  \
    SW_CLONES static void metric_##NAME(const T *restrict v, T *restrict w, int64_t from, int64_t to, T rate, T scale, \
                                        T eps, T a, T b)                                                               \
    {                                                                                                                  \
        if (b == 0) {                                                                                                  \
            const T pull = rate * a;                                                                                   \
            for (int64_t i = from; i < to; i++) {                                                                      \
                const T x = w[i], threshold = pull / (SQRT(v[i]) * scale + eps);                                       \
                T clipped = x < -threshold ? -threshold : x;                                                           \
                clipped = clipped > threshold ? threshold : clipped;                                                   \
                w[i] = x - clipped;                                                                                    \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        for (int64_t i = from; i < to; i++) {                                                                          \
            const T x = w[i], step = rate / (SQRT(v[i]) * scale + eps), threshold = step * a;                          \
            T clipped = x < -threshold ? -threshold : x;                                                               \
            clipped = clipped > threshold ? threshold : clipped;                                                       \
            w[i] = (x - clipped) / (1 + step * b);                                                                     \
        }                                                                                                              \
    }                                                                                                                  \
    static void work_##NAME(int kind, sw_step_job *job, int64_t part, int64_t parts)                                   \
    {                                                                                                                  \
        const int64_t grain = 64 / (int64_t)sizeof(T), blocks = (job->size + grain - 1) / grain;                       \
        const int64_t from = blocks * part / parts * grain;                                                            \
        int64_t to = blocks * (part + 1) / parts * grain;                                                              \
        to = to < job->size ? to : job->size;                                                                          \
        if (kind == SW_METRIC)                                                                                         \
            metric_##NAME(job->z, job->w, from, to, (T)job->rate, (T)job->scale, (T)job->eps, (T)job->a, (T)job->b);   \
        else if (!(job->threshold < 0 ? lend_##NAME(job->z, job->w, job->g, from, to, (T)job->slope, (T)job->shift)    \
                                      : mapped_##NAME(job, from, to)))                                                 \
            __atomic_store_n(&job->infinite, 1, __ATOMIC_RELAXED);                                                     \
    }

SW_DEFINE(float, uint32_t, 0x7f800000u, sqrtf, f32)
SW_DEFINE(double, uint64_t, 0x7ff0000000000000ull, sqrt, f64)

typedef struct {
    int kind, is_double;
    int64_t count, parts;
    sw_step_job *jobs;
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
SW_EXPORT void sw_training(int kind, int is_double, int64_t count, sw_step_job *jobs, int threads, void *const *pool)
{
    const int64_t parts = threads > 1 && pool ? threads : 1;
    const call_t call = {kind, is_double, count, parts, jobs};
    sw_parallel(run, &call, parts, 1, parts, pool);
}
