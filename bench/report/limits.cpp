// The least time that a loss can take, from what the same run measured of the machine: the column "fraction of limit".
#include "report/results.hpp"

#include <set>

namespace report {

Number limit(const Results& results, const Problem& problem) {
  const std::string type = problem.loss.substr(problem.loss.rfind('/') + 1), loss = problem.loss.substr(0, problem.loss.rfind('/'));
  // Logistic terms: one divide each, whatever becomes of the exponential and the logarithm.
  static const std::set<std::string> divides{"pairwise/ranknet", "pairwise/lambdarank", "pairwise/pairwise_softmax", "curriculum/ranknet",
                                             "auc/mann_whitney_logistic", "bradley_terry/bradley_terry"};
  // Losses that order their items: keys and the sort.
  static const std::set<std::string> sorts{"plackett_luce/listmle", "auc/mann_whitney_hinge", "auc/mann_whitney_squared_hinge", "metric/ndcg"};
  const auto own = problem.methods.find("rankgrad");
  if (own == problem.methods.end()) return {};
  if (divides.contains(loss)) {
    const Number divide = results.ceiling("divide", type);
    const double pairs = own->second.per_pair > 0 ? own->second.total / own->second.per_pair : 0;
    return divide ? Number(*divide * pairs) : Number();
  }
  if (sorts.contains(loss)) return results.at("sort/by_score/" + type, problem.shape).time("rankgrad");
  if (loss == "triplet/triplet_log_sum_exp") {   // one exp for each direction of an entry
    const Number exp = results.ceiling("exp", type);
    return exp ? Number(2 * *exp * problem.length() * problem.length()) : Number();
  }
  return problem.time("copy_floor");   // scores and labels in, a gradient out
}

}  // namespace report
