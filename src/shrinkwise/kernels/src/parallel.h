/* A range of work cut into one part a thread, on the pool of torch's own libgomp. */
#ifndef SHRINKWISE_PARALLEL_H
#define SHRINKWISE_PARALLEL_H

#include <stdint.h>

typedef void sw_range(const void *job, int64_t from, int64_t to);

typedef struct {
    sw_range *work;
    const void *job;
    int64_t n, grain;
    int (*thread_num)(void), (*num_threads)(void);
} sw_parts;

static void sw_part(void *data)
{
    const sw_parts *p = data;
    const int64_t part = p->thread_num(), parts = p->num_threads(), grains = (p->n + p->grain - 1) / p->grain;
    const int64_t from = grains * part / parts * p->grain, to = grains * (part + 1) / parts * p->grain;
    p->work(p->job, from, to < p->n ? to : p->n);
}

/* work(job, from, to) over 0..n, cut at multiples of `grain`. pool: addresses of GOMP_parallel, omp_get_thread_num and
 * omp_get_num_threads, or NULL for one thread. */
static void sw_parallel(sw_range *work, const void *job, int64_t n, int64_t grain, int64_t threads, void *const *pool)
{
    typedef void parallel_t(void (*)(void *), void *, unsigned, unsigned);
    if (threads > 1 && pool) {
        sw_parts parts = {work, job, n, grain, (int (*)(void))pool[1], (int (*)(void))pool[2]};
        ((parallel_t *)pool[0])(sw_part, &parts, (unsigned)threads, 0);
    } else {
        work(job, 0, n);
    }
}

#endif
