// Mann-Whitney losses: all pairs of a positive and a negative.
#include "support/list_benchmark.hpp"
#include "support/twins_auc.hpp"

#include <rankgrad/auc/mann_whitney.hpp>

namespace {

namespace rg = rankgrad;

template <class Twin>
void add(const char* name, rg::Surrogate surrogate, const Twin& twin) {
  bench::add_list_loss(std::string("auc/mann_whitney_") + name, rg::MannWhitney{.surrogate = surrogate}, bench::Needs::binary_labels,
                       bench::Count::pairs, bench::Backend{"scalar", twin});
}

const bool registered = [] {
  add("logistic", rg::Surrogate::logistic, bench::twin::MannWhitneyLogistic{});
  add("hinge", rg::Surrogate::hinge, bench::twin::MannWhitneyHinge<false>{});
  add("squared_hinge", rg::Surrogate::squared_hinge, bench::twin::MannWhitneyHinge<true>{});
  add("square", rg::Surrogate::square, bench::twin::MannWhitneySquare{});
  add("exponential", rg::Surrogate::exponential, bench::twin::MannWhitneyExponential{});
  return true;
}();

}  // namespace
