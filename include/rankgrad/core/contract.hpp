// rankgrad/core/contract.hpp: how a broken promise is reported, once per batch and at the door.
// SPDX-License-Identifier: MIT
//
// Data errors come back as a Status (core/validate.hpp). Where nobody asked for a Status, the door raises it as a
// contract violation: std::invalid_argument by default, see config.hpp.
#pragma once

#include <rankgrad/config.hpp>

#include <cstdio>
#include <cstdlib>
#if RANKGRAD_DETAIL_EXCEPTIONS
#include <stdexcept>
#endif

namespace rankgrad::inline RANKGRAD_ABI {

[[noreturn]] inline void violation(const char* message) {
#ifdef RANKGRAD_ON_VIOLATION
  RANKGRAD_ON_VIOLATION(message);
#elif RANKGRAD_DETAIL_EXCEPTIONS
  throw std::invalid_argument(message);
#else
  std::fprintf(stderr, "%s\n", message);
#endif
#if !RANKGRAD_DETAIL_EXCEPTIONS || defined(RANKGRAD_ON_VIOLATION)
  std::abort();
#endif
}

/// Fine, or a message that names what is wrong and where. Holds its text itself and never allocates.
class [[nodiscard]] Status {
 public:
  Status() noexcept { text_[0] = 0; }   // not the whole buffer: good news must be cheap

  /// printf-style. Numbers only: anything longer than the buffer is cut.
  template <class... Args>
  static Status error(const char* format, Args... args) noexcept {
    Status status;
    status.failed_ = true;
    if constexpr (sizeof...(args) == 0) std::snprintf(status.text_, sizeof status.text_, "%s", format);
    else std::snprintf(status.text_, sizeof status.text_, format, args...);
    return status;
  }

  explicit operator bool() const noexcept { return !failed_; }
  const char* message() const noexcept { return text_; }

 private:
  bool failed_ = false;
  char text_[191];
};

/// Raises a failed status as a contract violation.
inline void require(const Status& status) {
  if (!status) violation(status.message());
}

}  // namespace rankgrad
