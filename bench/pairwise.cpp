// Losses over the pairs of one list.
#include "support/list_benchmark.hpp"
#include "support/twins_pairwise.hpp"

#include <rankgrad/curriculum/curriculum.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

namespace {

namespace rg = rankgrad;
using bench::Backend, bench::Count, bench::Needs;

template <class Phi, class L>
void add_pairs(const L& loss) {
  bench::add_list_loss("pairwise/" + std::string(L::name), loss, Needs::nothing, Count::pairs,
                       Backend{"scalar", bench::twin::Pairs<Phi>{}}, Backend{"scalar_sorted", bench::twin::SortedPairs<Phi>{}});
}

const bool registered = [] {
  add_pairs<bench::twin::Logistic>(rg::RankNet{});
  add_pairs<bench::twin::Hinge>(rg::Hinge{});
  add_pairs<bench::twin::SquaredHinge>(rg::SquaredHinge{});
  add_pairs<bench::twin::SoftZeroOne>(rg::PairwiseSoftmax{});
  bench::add_list_loss("pairwise/lambdarank", rg::LambdaRank{}, Needs::nothing, Count::pairs,
                       Backend{"scalar", bench::twin::LambdaRank{}});
  bench::add_list_loss("curriculum/ranknet", rg::Curriculum<rg::RankNet>{.progress = 0.25}, Needs::easiness, Count::pairs,
                       Backend{"scalar", bench::twin::CurriculumPairs{0.25}});
  return true;
}();

}  // namespace
