/* One step of SGD or Adam(W) together with what a penalty adds to it, in one pass over memory, several tensors in one call.
 *
 *   w = x                                           PLAIN, PROX: the weights themselves are moved
 *     = soft(x, threshold) * shrink                 MAP: x is a latent, its weights are written
 *     = w                                           PULL: x is a latent, its weights are read and left to the caller
 *   d = gain g + coupled w + slope (x - w)          the gradient of the sum
 *   m = keep m + take d                             MOMENTUM, ADAM
 *   v = keep2 v + take2 d^2                         ADAM
 *   y = d, direct d + through m, m                  SGD, MOMENTUM, ADAM
 *   r = 1, ADAM: 1 / (sqrt(v) scale + eps)
 *   x = x - decoupled w - rate r y
 *   PROX: x = soft(x, s a) / (1 + s b),  s = pace r
 *
 * With a latent, chunks whose gradient (for Adam its square) is not finite are left untouched and said; the others move all
 * the same, for every array is read once only: the caller takes them back.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../common.h"
#include "../parallel.h"

enum { SW_PLAIN = 0, SW_MAP = 1, SW_PULL = 2, SW_PROX = 3 };
enum { SW_SGD = 0, SW_MOMENTUM = 1, SW_ADAM = 2 };
/* Entries judged and fetched together. Few, so that the work on them begins before the judgement is in. */
enum { CHUNK = 64 };
/* Entries from which weights will not be found in a cache by who reads them next. */
enum { LARGE = 1 << 21 };

typedef struct {
    void *x, *w, *m, *v;
    const void *g;
    int64_t size, mode;
    double gain, coupled, slope, decoupled;
    double keep, take, keep2, take2, direct, through, rate, scale, eps;
    double threshold, shrink; /* MAP */
    double pace, a, b;        /* PROX */
    int64_t refused;          /* set to 1 where a gradient is not finite */
} sw_optimizer_job;

/* Size and offsets of the fields: the loader holds the declaration in Python to them. */
SW_EXPORT void sw_optimizer_layout(int64_t *out)
{
    const size_t layout[] = {
        sizeof(sw_optimizer_job),
        offsetof(sw_optimizer_job, x), offsetof(sw_optimizer_job, w), offsetof(sw_optimizer_job, m),
        offsetof(sw_optimizer_job, v), offsetof(sw_optimizer_job, g), offsetof(sw_optimizer_job,
        size), offsetof(sw_optimizer_job, mode), offsetof(sw_optimizer_job, gain),
        offsetof(sw_optimizer_job, coupled), offsetof(sw_optimizer_job, slope),
        offsetof(sw_optimizer_job, decoupled), offsetof(sw_optimizer_job, keep),
        offsetof(sw_optimizer_job, take), offsetof(sw_optimizer_job, keep2),
        offsetof(sw_optimizer_job, take2), offsetof(sw_optimizer_job, direct),
        offsetof(sw_optimizer_job, through), offsetof(sw_optimizer_job, rate),
        offsetof(sw_optimizer_job, scale), offsetof(sw_optimizer_job, eps),
        offsetof(sw_optimizer_job, threshold), offsetof(sw_optimizer_job, shrink),
        offsetof(sw_optimizer_job, pace), offsetof(sw_optimizer_job, a), offsetof(sw_optimizer_job,
        b), offsetof(sw_optimizer_job, refused),
    };
    for (size_t i = 0; i < sizeof layout / sizeof *layout; i++)
        out[i] = (int64_t)layout[i];
}

#define SW_DEFINE(T, BITS, EXPONENT, SQRT, NAME)                                                                       \
    SW_INLINE T soft_##NAME(T x, T threshold)                                                                          \
    {                                                                                                                  \
        T clipped = x < -threshold ? -threshold : x;                                                                   \
        clipped = clipped > threshold ? threshold : clipped;                                                           \
        return x - clipped;                                                                                            \
    }                                                                                                                  \
    SW_INLINE int finite_##NAME(const T *g, int64_t size, T gain, int squared)                                         \
    {                                                                                                                  \
        BITS infinite = 0;                                                                                             \
        for (int64_t i = 0; i < size; i++) {                                                                           \
            const T d = g[i] * gain, judged = squared ? d * d : d;                                                     \
            BITS bits;                                                                                                 \
            memcpy(&bits, &judged, sizeof bits);                                                                       \
            infinite |= (BITS)((bits & EXPONENT) == EXPONENT);                                                         \
        }                                                                                                              \
        return infinite == 0;                                                                                          \
    }                                                                                                                  \
    /* algorithm and mode are constants where this is inlined. */                                                      \
    SW_INLINE void chunk_##NAME(int algorithm, int mode, const sw_optimizer_job *job, T *restrict x, T *restrict w,    \
                                T *restrict m, T *restrict v, const T *restrict g, int64_t size)                       \
    {                                                                                                                  \
        const T gain = (T)job->gain, coupled = (T)job->coupled, slope = (T)job->slope, decoupled = (T)job->decoupled;  \
        const T keep = (T)job->keep, take = (T)job->take, keep2 = (T)job->keep2, take2 = (T)job->take2;                \
        const T direct = (T)job->direct, through = (T)job->through, rate = (T)job->rate, scale = (T)job->scale;        \
        const T eps = (T)job->eps, threshold = (T)job->threshold, shrink = (T)job->shrink;                             \
        const T pace = (T)job->pace, a = (T)job->a, b = (T)job->b;                                                     \
        for (int64_t i = 0; i < size; i++) {                                                                           \
            const T at = x[i];                                                                                         \
            const T weight = mode == SW_MAP ? soft_##NAME(at, threshold) * shrink : mode == SW_PULL ? w[i] : at;       \
            T d = gain * g[i] + coupled * weight, r = 1, to;                                                           \
            if (mode == SW_MAP || mode == SW_PULL)                                                                     \
                d += slope * (at - weight);                                                                            \
            if (algorithm == SW_SGD) {                                                                                 \
                to = at - decoupled * weight - rate * d;                                                               \
            } else {                                                                                                   \
                const T mean = keep * m[i] + take * d;                                                                 \
                m[i] = mean;                                                                                           \
                if (algorithm == SW_ADAM) {                                                                            \
                    const T square = keep2 * v[i] + take2 * d * d;                                                     \
                    v[i] = square;                                                                                     \
                    r = 1 / (SQRT(square) * scale + eps);                                                              \
                    to = at - decoupled * weight - rate * r * mean;                                                    \
                } else {                                                                                               \
                    to = at - decoupled * weight - rate * (direct * d + through * mean);                               \
                }                                                                                                      \
            }                                                                                                          \
            if (mode == SW_PROX) {                                                                                     \
                const T step = pace * r;                                                                               \
                to = soft_##NAME(to, step * a);                                                                        \
                x[i] = b == 0 ? to : to / (1 + step * b);                                                              \
            } else {                                                                                                   \
                x[i] = to;                                                                                             \
                if (mode == SW_MAP)                                                                                    \
                    w[i] = soft_##NAME(to, threshold) * shrink;                                                        \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    /* Weights of a MAP that are many go past the caches, so that their old contents are not read first. */            \
    SW_INLINE int pass_##NAME(int algorithm, int mode, const sw_optimizer_job *job, int64_t from, int64_t to)          \
    {                                                                                                                  \
        SW_ALIGNED T block[CHUNK];                                                                                     \
        T *x = (T *)job->x, *w = (T *)job->w, *m = (T *)job->m, *v = (T *)job->v;                                      \
        const T *g = job->g;                                                                                           \
        const int streamed = mode == SW_MAP && to - from >= LARGE && (uintptr_t)(w + from) % 64 == 0;                  \
        int finite = 1;                                                                                                \
        for (int64_t i = from; i < to; i += CHUNK) {                                                                   \
            const int64_t n = i + CHUNK < to ? CHUNK : to - i;                                                         \
            /* The hardware starts anew in every page; to fetch past an end is harmless. */                            \
            for (int64_t k = i + CHUNK; k < i + 2 * CHUNK; k += 64 / (int64_t)sizeof(T)) {                             \
                SW_PREFETCH(x + k);                                                                                    \
                SW_PREFETCH(g + k);                                                                                    \
                if (algorithm != SW_SGD)                                                                               \
                    SW_PREFETCH(m + k);                                                                                \
                if (algorithm == SW_ADAM)                                                                              \
                    SW_PREFETCH(v + k);                                                                                \
            }                                                                                                          \
            if ((mode == SW_MAP || mode == SW_PULL) && !finite_##NAME(g + i, n, (T)job->gain, algorithm == SW_ADAM))   \
                finite = 0;                                                                                            \
            else if (streamed && n == CHUNK) {                                                                         \
                chunk_##NAME(algorithm, mode, job, x + i, block, m + i, v + i, g + i, CHUNK);                          \
                sw_stream(w + i, block, sizeof block);                                                                 \
            } else                                                                                                     \
                chunk_##NAME(algorithm, mode, job, x + i, w + i, m + i, v + i, g + i, n);                              \
        }                                                                                                              \
        if (streamed)                                                                                                  \
            sw_stream_end();                                                                                           \
        return finite;                                                                                                 \
    }                                                                                                                  \
    SW_PASSES(T, NAME, sgd, SW_SGD)                                                                                    \
    SW_PASSES(T, NAME, momentum, SW_MOMENTUM)                                                                          \
    SW_PASSES(T, NAME, adam, SW_ADAM)                                                                                  \
    typedef int passes_##NAME(const sw_optimizer_job *, int64_t, int64_t);                                             \
    static passes_##NAME *const table_##NAME[3][4] = {                                                                 \
        {sgd_plain_##NAME, sgd_map_##NAME, sgd_pull_##NAME, sgd_prox_##NAME},                                          \
        {momentum_plain_##NAME, momentum_map_##NAME, momentum_pull_##NAME, momentum_prox_##NAME},                      \
        {adam_plain_##NAME, adam_map_##NAME, adam_pull_##NAME, adam_prox_##NAME},                                      \
    };                                                                                                                 \
    static void work_##NAME(int algorithm, sw_optimizer_job *job, int64_t part, int64_t parts)                         \
    {                                                                                                                  \
        const int64_t chunks = (job->size + CHUNK - 1) / CHUNK;                                                        \
        const int64_t from = chunks * part / parts * CHUNK, to = chunks * (part + 1) / parts * CHUNK;                  \
        if (!table_##NAME[algorithm][job->mode](job, from, to < job->size ? to : job->size))                           \
            __atomic_store_n(&job->refused, 1, __ATOMIC_RELAXED);                                                      \
    }

#define SW_PASS(T, NAME, WORD, ALGORITHM, MODE)                                                                        \
    SW_CLONES static int WORD##_##NAME(const sw_optimizer_job *job, int64_t from, int64_t to)                          \
    {                                                                                                                  \
        return pass_##NAME(ALGORITHM, MODE, job, from, to);                                                            \
    }
#define SW_PASSES(T, NAME, WORD, ALGORITHM)                                                                            \
    SW_PASS(T, NAME, WORD##_plain, ALGORITHM, SW_PLAIN)                                                                \
    SW_PASS(T, NAME, WORD##_map, ALGORITHM, SW_MAP)                                                                    \
    SW_PASS(T, NAME, WORD##_pull, ALGORITHM, SW_PULL)                                                                  \
    SW_PASS(T, NAME, WORD##_prox, ALGORITHM, SW_PROX)

SW_DEFINE(float, uint32_t, 0x7f800000u, sqrtf, f32)
SW_DEFINE(double, uint64_t, 0x7ff0000000000000ull, sqrt, f64)

typedef struct {
    int algorithm, is_double;
    int64_t count, parts;
    sw_optimizer_job *jobs;
} call_t;

static void run(const void *data, int64_t from, int64_t to)
{
    const call_t *call = data;
    for (int64_t part = from; part < to; part++)
        for (int64_t k = 0; k < call->count; k++)
            (call->is_double ? work_f64 : work_f32)(call->algorithm, call->jobs + k, part, call->parts);
}

/* pool: as for sw_parallel. */
SW_EXPORT void sw_optimizer(int algorithm, int is_double, int64_t count, sw_optimizer_job *jobs, int64_t threads,
                            void *const *pool)
{
    const call_t call = {algorithm, is_double, count, threads, jobs};
    sw_parallel(run, &call, threads, 1, threads, pool);
}
