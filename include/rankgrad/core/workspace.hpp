// rankgrad/core/workspace.hpp: scratch memory that stops allocating once it is warm.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace rankgrad::inline RANKGRAD_ABI {

class Team;

/// A stack of scratch arrays. Every array starts on a 64-byte border and is followed by at least 64 bytes that may be
/// read and written, so that a kernel can run whole packs past the end of what it asked for.
///
///   const auto frame = workspace.frame();      // everything taken after this line is given back with the frame
///   T* exponentials = workspace.take<T>(n);    // not initialised
///
/// One workspace serves one thread. Growth happens inside take() and is counted; after the first call of the largest
/// list there is none.
class Workspace {
  struct Block {
    Block* below;
    std::size_t capacity, used;
  };

 public:
  Workspace() = default;
  Workspace(Workspace&& other) noexcept { swap(other); }
  Workspace& operator=(Workspace&& other) noexcept {
    swap(other);
    return *this;
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() { free_from(top_); }

  class [[nodiscard]] Frame {
   public:
    explicit Frame(Workspace& workspace) noexcept
        : workspace_(workspace), block_(workspace.top_), used_(block_ ? block_->used : 0) {
      ++workspace_.depth_;
    }
    ~Frame() {
      if (--workspace_.depth_ == 0) workspace_.rewind();
      else if (block_ && workspace_.top_ == block_) block_->used = used_;
      // else the stack grew inside this frame: the new block is kept until the outermost frame ends
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Workspace& workspace_;
    Block* block_;
    std::size_t used_;
  };

  Frame frame() noexcept { return Frame(*this); }

  template <class T>
  T* take(std::size_t n) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= border);
    const std::size_t bytes = (n * sizeof(T) + border - 1) / border * border + border;
    if (!top_ || top_->used + bytes > top_->capacity) grow(bytes);
    std::byte* start = reinterpret_cast<std::byte*>(top_) + border + top_->used;
    top_->used += bytes;
    return reinterpret_cast<T*>(start);
  }

  /// The same, every element and the padding behind it set to `fill`.
  template <class T>
  T* take(std::size_t n, T fill) {
    T* start = take<T>(n);
    std::fill_n(start, n + border / sizeof(T), fill);
    return start;
  }

  /// The workers that one large list may be spread over, or null; see core/executor.hpp.
  const Team* team() const noexcept { return team_; }

  /// Lends a team to a workspace for as long as this lives; null: takes its team away.
  class [[nodiscard]] TeamLoan {
   public:
    TeamLoan(Workspace& workspace, const Team* team) noexcept
        : workspace_(workspace), before_(std::exchange(workspace.team_, team)) {}
    TeamLoan(Workspace& workspace, const Team& team) noexcept : TeamLoan(workspace, &team) {}
    ~TeamLoan() { workspace_.team_ = before_; }
    TeamLoan(const TeamLoan&) = delete;
    TeamLoan& operator=(const TeamLoan&) = delete;

   private:
    Workspace& workspace_;
    const Team* before_;
  };

  /// How many times memory was asked for; constant once warm.
  std::size_t growths() const noexcept { return growths_; }

 private:
  static constexpr std::size_t border = 64;   // a cache line, and the widest register

  void grow(std::size_t bytes) {
    const std::size_t capacity = std::max<std::size_t>(reserved_ + bytes, 4096);   // at least twice as much in all
    push(::operator new(border + capacity, std::align_val_t{border}), capacity);
  }

  /// At the end of the outermost frame: where the stack grew, one block takes the place of all. It holds what they held
  /// together, so the same demand never grows the stack again.
  void rewind() noexcept {
    if (!top_) return;
    if (top_->below) {
      const std::size_t capacity = std::exchange(reserved_, 0);
      free_from(std::exchange(top_, nullptr));
      if (void* memory = ::operator new(border + capacity, std::align_val_t{border}, std::nothrow)) push(memory, capacity);
    } else {
      top_->used = 0;
    }
  }

  void push(void* memory, std::size_t capacity) noexcept {
    top_ = new (memory) Block{top_, capacity, 0};
    reserved_ += capacity;
    ++growths_;
  }

  static void free_from(Block* block) noexcept {
    while (block) ::operator delete(std::exchange(block, block->below), std::align_val_t{border});
  }

  void swap(Workspace& other) noexcept {
    std::swap(top_, other.top_);
    std::swap(reserved_, other.reserved_);
    std::swap(depth_, other.depth_);
    std::swap(growths_, other.growths_);
  }

  Block* top_ = nullptr;
  const Team* team_ = nullptr;
  std::size_t reserved_ = 0, depth_ = 0, growths_ = 0;
};

}  // namespace rankgrad
