// Losses over the items of one list: pointwise, softmax, Plackett-Luce; and NDCG.
#include "support/list_benchmark.hpp"
#include "support/twins_listwise.hpp"

#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/plackett_luce/list_mle.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

namespace {

namespace rg = rankgrad;
using bench::Backend, bench::Count, bench::Needs;

template <class L, class Twin>
void add(const std::string& family, const L& loss, const Twin& twin) {
  bench::add_list_loss(family + "/" + std::string(L::name), loss, Needs::nothing, Count::items, Backend{"scalar", twin});
}

/// Metrics have no gradient: its place in the twin stays untouched, 0 in both.
template <class T>
void add_ndcg() {
  for (const bench::Shape& shape : bench::every_shape()) {
    const auto metric = [evaluator = std::make_shared<rg::BatchEvaluator<T>>()](const bench::Lists<T>& lists, std::span<T>) {
      return evaluator->metric(rg::Ndcg{}, lists.batch());
    };
    const auto twin = [ndcg = bench::twin::Ndcg{}](const bench::Lists<T>& lists, std::span<T>) mutable {
      double total = 0;
      for (std::size_t q = 0; q < lists.size(); ++q) total += ndcg(lists.list(q), static_cast<T*>(nullptr)).value_or(0.0);
      return total / static_cast<double>(lists.size());
    };
    bench::add<T, bench::Lists<T>>(std::string("metric/ndcg/") + bench::type_name<T>() + "/" + shape.name, shape.sets,
                                   [shape](std::size_t set) { return shape.template make<T>(set); }, Count::items,
                                   Backend{"scalar", twin}, Backend{"rankgrad", metric});
  }
}

const bool registered = [] {
  add("pointwise", rg::SigmoidCrossEntropy{}, bench::twin::SigmoidCrossEntropy{});
  add("pointwise", rg::MeanSquaredError{}, bench::twin::MeanSquaredError{});
  add("listwise", rg::Softmax{}, bench::twin::Softmax{});
  add("listwise", rg::ListNet{}, bench::twin::ListNet{});
  add("plackett_luce", rg::ListMle{.ties = rg::TargetTies::stable}, bench::twin::ListMle{});
  add_ndcg<float>();
  add_ndcg<double>();
  return true;
}();

}  // namespace
