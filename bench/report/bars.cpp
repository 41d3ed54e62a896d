// What the library must reach on a machine with AVX-512, beside what this run measured. A row whose benchmarks did not
// run, or do not exist, says "-".
#include "report/results.hpp"

#include <fmt/core.h>

#include <cmath>

namespace report {
namespace {

struct Bar {
  std::string what;
  bool at_least;
  double bar;
  Number measured;
};

/// Several measurements of one kind, each with its name.
struct Several {
  std::vector<std::pair<std::string, double>> all;

  void add(const std::string& name, Number number) {
    if (number) all.emplace_back(name, *number);
  }
  Number geometric_mean() const {
    double sum = 0;
    for (const auto& one : all) sum += std::log(one.second);
    return all.empty() ? Number() : Number(std::exp(sum / static_cast<double>(all.size())));
  }
};

class Bars {
 public:
  explicit Bars(const Results& results) : results_(results) {
    elementary();
    listwise();
    pairs();
    near_linear();
    smooth_ranks();
    sorted();
    embeddings();
    peers();
    builds();
  }
  std::vector<Bar> take() && { return std::move(bars_); }

 private:
  void at_least(const std::string& what, double bar, Number measured) { bars_.push_back({what, true, bar, measured}); }
  void at_most(const std::string& what, double bar, Number measured) { bars_.push_back({what, false, bar, measured}); }
  /// The worst of several, and which that is.
  void all_at_least(const std::string& what, double bar, const Several& several) {
    const auto worst = std::min_element(several.all.begin(), several.all.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (worst == several.all.end()) return at_least(what, bar, {});
    at_least(what + " (worst: " + worst->first + ")", bar, worst->second);
  }
  const Problem& problem(const std::string& loss, const std::string& shape) const { return results_.at(loss, shape); }
  Number own(const std::string& loss, const std::string& shape) const { return problem(loss, shape).time("rankgrad"); }
  /// How many times faster the library is than `method`.
  Number over(const std::string& method, const std::string& loss, const std::string& shape) const {
    return problem(loss, shape).time(method) / own(loss, shape);
  }

  void elementary() {
    at_least("exp, float, over std::exp", 15, over("scalar", "elementary/exp/float", "4096"));
    at_least("exp, double, over std::exp", 10, over("scalar", "elementary/exp/double", "4096"));
    at_least("softplus and sigmoid together, float, over scalar", 30, over("scalar", "elementary/softplus_sigmoid/float", "4096"));
    at_most("exp, float, ulp", 1.1, results_.error("exp/float"));
    at_most("softplus, float, ulp", 3, results_.error("softplus/float"));
    at_most("sigmoid, float, ulp", 2, results_.error("sigmoid/float"));
  }

  void listwise() {
    const std::string softmax = "listwise/softmax/float", ragged = "uniform10..100", listmle = "plackett_luce/listmle/float";
    for (const std::string n : {"1000", "10000", "100000"}) {
      at_least("softmax, n = " + n + ", over scalar", 15, over("scalar", softmax, n));
      at_most("softmax, n = " + n + ", times the copy floor", 3.5, own(softmax, n) / problem(softmax, n).time("copy_floor"));
    }
    at_least("softmax, lists of 10..100, over scalar", 10, over("scalar", softmax, ragged));
    at_least("softmax, lists of 10..100, over -ffast-math", 2.6, over("scalar_fast_math", softmax, ragged));
    at_least("ListMLE, n = 1e3, over std::sort and a scalar scan", 9, over("scalar", listmle, "1000"));
    at_least("ListMLE, n = 1e5, over std::sort and a scalar scan", 13, over("scalar", listmle, "100000"));
  }

  /// ns per pair of the library's own pass over all pairs.
  Number brute(const std::string& loss, const std::string& shape) const { return problem(loss, shape).per_pair("simd_brute"); }

  void pairs() {
    const std::string loss = "auc/mann_whitney_logistic/float";
    const Problem& pairs = problem(loss, "10000");
    at_least("logistic pairs, brute force, n = 1e4, over scalar", 100, pairs.per_pair("scalar") / brute(loss, "10000"));
    at_least("logistic pairs, brute force, n = 1e4, over -ffast-math", 9, pairs.per_pair("scalar_fast_math") / brute(loss, "10000"));
    at_least("logistic pairs, brute force, n = 1e4, fraction of the divider's limit", 0.55,
             results_.ceiling("divide", "float") / brute(loss, "10000"));
    at_most("logistic pairs, brute force, with pairs of denormal e^-x, times without", 1.1,
            own("variant/all_pairs_wide/float", "10000") / own("variant/all_pairs/float", "10000"));
    at_least("RankNet, 5 grades, lists of 10..100, over scalar", 45, over("scalar", "pairwise/ranknet/float", "uniform10..100"));
    at_most("RankNet, 5 grades, n = 1e5, times two classes", 2, own("pairwise/ranknet/float", "100000") / own(loss, "100000"));
  }

  void near_linear() {
    const std::string loss = "auc/mann_whitney_logistic/float", n = "100000";
    const auto over_brute = [&](const std::string& of, const char* shape) {
      return own(of, "100000") ? brute(of, "10000") / problem(of, shape).per_pair("rankgrad") : Number();
    };
    at_least("logistic pairs, n = 1e4, over own brute force", 100, over_brute(loss, "10000"));
    at_least("logistic pairs, n = 1e5, over own brute force (extrapolated)", 1e3, over_brute(loss, "100000"));
    at_least("logistic pairs, n = 1e6, over own brute force (extrapolated)", 1e4, over_brute(loss, "1000000"));
    const Number growth = own(loss, "1000000") / own(loss, "10000");
    at_most("logistic pairs, growth exponent 1e4..1e6", 1.1, growth ? Number(std::log10(*growth) / 2) : Number());
    const auto variant = [&](const std::string& name, const std::string& type, Number plain) {
      return own("variant/mann_whitney_" + name + "/" + type, n) / plain;
    };
    const Number plain = own(loss, n), plain_double = own("auc/mann_whitney_logistic/double", n);
    at_most("logistic pairs, 100 bins, times two bins", 2.5, variant("100_bins", "float", own("variant/mann_whitney_2_bins/float", n)));
    at_most("logistic pairs, temperature not 1, times plain", 1.15, variant("tau", "float", plain));
    at_most("logistic pairs, weights, times plain", 1.4, variant("weights", "float", plain));
    at_most("logistic pairs, weights, times plain, double", 1.5, variant("weights", "double", plain_double));
    at_most("logistic pairs, curvature, times plain", 1.4, variant("curvature", "float", plain));
    at_most("logistic pairs, curvature, times plain, double", 1.5, variant("curvature", "double", plain_double));
    for (const std::string of : {"auc/mann_whitney_logistic", "pairwise/ranknet"}) {
      at_most(of + ", float, error of value and gradient, n = 1e4", 1e-6, results_.error(of + "/float"));
      at_most(of + ", double, error of value and gradient, n = 1e4", 1e-12, results_.error(of + "/double"));
    }
    const std::string lambdarank = "pairwise/lambdarank/float";
    at_least("LambdaRank without cut-off, n = 1e5, over SIMD brute force (extrapolated)", 50, over_brute(lambdarank, "100000"));
    at_most("LambdaRank, float, error of value and gradient, n = 1e4", 1e-6, results_.error(lambdarank));
    at_most("LambdaRank, n = 1e5, curvature, times plain", 1.35, own("variant/lambdarank_curvature/float", n) / own(lambdarank, n));
  }

  void smooth_ranks() {
    const std::string loss = "listwise/approx_ndcg/float";
    at_least("ApproxNDCG, n = 1e4, over own brute force", 400, problem(loss, "10000").time("simd_brute") / own(loss, "10000"));
    at_most("ApproxNDCG, float, error of value and gradient, n = 1e4", 1e-6, results_.error("listwise/approx_ndcg/float"));
    at_most("ApproxNDCG, double, error of value and gradient, n = 1e4", 1e-13, results_.error("listwise/approx_ndcg/double"));
  }

  void sorted() {
    const Number sort = own("sort/by_score/float", "100000");
    at_most("hinge pairs, n = 1e5, times keys and sort", 1.5, own("auc/mann_whitney_hinge/float", "100000") / sort);
    at_most("squared hinge pairs, n = 1e5, times keys and sort", 1.7, own("auc/mann_whitney_squared_hinge/float", "100000") / sort);
  }

  void embeddings() {
    Several values, gradients, both, narrow, over_eigen;
    for (const std::string shape : {"2048x128", "2048x256", "2048x1024", "4096x128", "4096x512"}) {
      const auto fraction = [&](const std::string& method, const std::string& loss, double products) {
        const Number limit = problem("limit/product/float", shape).time(method) / problem("embedding/" + loss + "/float", shape).time(method);
        return limit ? Number(products * *limit) : Number();
      };
      for (const auto& [loss, products] : {std::pair{"info_nce_value", 1.0}, {"info_nce", 3.0}, {"info_nce_both", 4.0}}) {
        (products < 2 ? values : products < 4 ? gradients : both).add(shape, fraction("rankgrad", loss, products));
        narrow.add(std::string(loss) + "/" + shape, fraction("rankgrad_avx2", loss, products));
        over_eigen.add(std::string(loss) + "/" + shape, over("eigen", "embedding/" + std::string(loss) + "/float", shape));
      }
    }
    all_at_least("InfoNCE over embeddings, value, fraction of multiply-adds", 0.75, values);
    all_at_least("InfoNCE over embeddings, with gradient, fraction of multiply-adds", 0.7, gradients);
    all_at_least("InfoNCE over embeddings, both directions, fraction of multiply-adds", 0.7, both);
    all_at_least("InfoNCE over embeddings, AVX2, fraction of its multiply-adds", 0.8, narrow);
    all_at_least("InfoNCE over embeddings, over Eigen with the matrix", 1, over_eigen);
    at_least("InfoNCE over embeddings, 4096 x 128, over Eigen with the matrix", 1.4, over("eigen", "embedding/info_nce/float", "4096x128"));
    at_least("InfoNCE over embeddings, 2048 x 256, over libtorch", 3, over("libtorch", "embedding/info_nce/float", "2048x256"));
  }

  void peers() {
    Several all;
    for (const std::string loss : {"listwise/softmax", "plackett_luce/listmle", "pairwise/ranknet", "auc/mann_whitney_logistic",
                                   "pairwise/lambdarank", "curriculum/ranknet"})
      all.add(loss, over("libtorch", loss + "/float", "256x100"));
    all.add("bradley_terry", over("libtorch", "bradley_terry/bradley_terry/float", "10000"));
    all.add("triplet", over("libtorch", "triplet/triplet_log_sum_exp/float", "256"));
    all_at_least("every flagship over libtorch", 10, all);
    at_least("flagships over libtorch, geometric mean", 30, all.geometric_mean());
  }

  void builds() {
    Several batches, lists, longest, narrow, functions, grids;
    const auto avx2 = [](const Problem& p) { return p.time("rankgrad") / p.time("rankgrad_avx2"); };
    for (const Problem& p : results_.problems) {
      if (p.loss.starts_with("threads/"))
        (p.length() > 1e6 ? longest : p.length() > 0 ? lists : batches).add(p.loss.substr(8) + "/" + p.shape, p.time("rankgrad") / p.time("rankgrad_2_threads"));
      if (p.loss.ends_with("/float") && (p.shape == "1000" || p.shape == "uniform10..100" || p.shape == "256"))
        narrow.add(p.loss, avx2(p));
      if (p.loss.starts_with("elementary/")) functions.add(p.loss, avx2(p));
    }
    grids.add("auc/mann_whitney_logistic/double", avx2(problem("auc/mann_whitney_logistic/double", "100000")));
    grids.add("listwise/approx_ndcg/float", avx2(problem("listwise/approx_ndcg/float", "10000")));
    all_at_least("two threads, batches", 1.8, batches);
    all_at_least("two threads, one list of 1e5 or 1e6", 1.8, lists);
    all_at_least("two threads, one list of 1e7", 1.5, longest);
    all_at_least("AVX2 build over AVX-512, float", 0.5, narrow);
    at_least("AVX2 build over AVX-512, float, geometric mean", 0.5, narrow.geometric_mean());
    all_at_least("AVX2 build over AVX-512, grid in double and ApproxNDCG", 0.4, grids);
    all_at_least("AVX2 build over AVX-512, elementary functions", 0.25, functions);
  }

  const Results& results_;
  std::vector<Bar> bars_;
};

}  // namespace

Json print_bars(const Results& results) {
  fmt::print("\nWhat it must reach\n\n{:<84}{:>9}{:>11}\n", "", "bar", "measured");
  Json json = Json::array();
  for (const Bar& bar : Bars(results).take()) {
    const bool met = bar.measured && (bar.at_least ? *bar.measured >= bar.bar : *bar.measured <= bar.bar);
    const char* verdict = !bar.measured ? "-" : met ? "met" : "not met";
    fmt::print("{:<84}{:>9}{:>11}  {}\n", bar.what, fmt::format("{} {:g}", bar.at_least ? ">=" : "<=", bar.bar),
               bar.measured ? fmt::format("{:.3g}", *bar.measured) : "-", verdict);
    json.push_back({{"what", bar.what}, {"at_least", bar.at_least}, {"bar", bar.bar}, {"measured", nullptr}, {"verdict", verdict}});
    if (bar.measured) json.back()["measured"] = *bar.measured;
  }
  return json;
}

}  // namespace report
