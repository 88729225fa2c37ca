// Counts what C++ code takes from the heap, by being the process's operator new.
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "shim.h"

namespace {

std::atomic<uint64_t> allocations{0};
std::atomic<uint64_t> live{0};

void* allocate(std::size_t size) {
  void* block = std::malloc(size ? size : 1);
  if (!block) throw std::bad_alloc();
  allocations.fetch_add(1, std::memory_order_relaxed);
  live.fetch_add(malloc_usable_size(block), std::memory_order_relaxed);
  return block;
}

void release(void* block) {
  live.fetch_sub(malloc_usable_size(block), std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

HeapCounters heap_counters() { return {allocations.load(std::memory_order_relaxed), live.load(std::memory_order_relaxed)}; }

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* block) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t) noexcept { release(block); }
