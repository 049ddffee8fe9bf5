#include <ATen/Parallel.h>

// What the lanes ask of libtorch, without libtorch: its number of threads is one of each calling thread.
namespace at {

static thread_local int threads = 1;

void set_num_threads(int wanted) { threads = wanted; }
int get_num_threads() { return threads; }

}  // namespace at
