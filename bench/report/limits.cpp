// The least time that a loss can take, from what the same run measured of the machine: the column "fraction of limit".
#include "report/results.hpp"

#include <set>

namespace report {

Number limit(const Results& results, const Problem& problem) {
  const std::string type = problem.loss.substr(problem.loss.rfind('/') + 1), loss = problem.loss.substr(0, problem.loss.rfind('/'));
  // Logistic terms: one divide each, whatever becomes of the exponential and the logarithm.
  static const std::set<std::string> divides{"pairwise/ranknet", "pairwise/lambdarank", "pairwise/ndcg_loss2", "pairwise/ndcg_loss2pp",
                                             "pairwise/pairwise_softmax", "curriculum/ranknet", "auc/mann_whitney_logistic",
                                             "bradley_terry/bradley_terry", "preference/dpo"};
  // Losses that order their items: keys and the sort, or both sorts.
  static const std::map<std::string, std::vector<std::string>> sorts{{"plackett_luce/listmle", {"by_label"}},
                                                                     {"auc/mann_whitney_hinge", {"by_score"}},
                                                                     {"auc/mann_whitney_squared_hinge", {"by_score"}},
                                                                     {"metric/ndcg", {"by_label", "by_score"}}};
  const auto own = problem.methods.find("rankgrad");
  if (own == problem.methods.end()) return {};
  if (divides.contains(loss)) {
    const Number divide = results.ceiling("divide", type);
    const double pairs = own->second.per_pair > 0 ? own->second.total / own->second.per_pair : 0;
    return divide ? Number(*divide * pairs) : Number();
  }
  if (const auto found = sorts.find(loss); found != sorts.end()) {
    double total = 0;
    for (const std::string& by : found->second) {
      const Number time = results.at("sort/" + by + "/" + type, problem.shape).time("rankgrad");
      if (!time) return {};
      total += *time;
    }
    return total;
  }
  // Exps that cannot be avoided, for each item: an entry of a matrix, a token.
  static const std::map<std::string, double> exps{{"triplet/triplet_log_sum_exp", 2}, {"contrastive/symmetric_info_nce", 2},
                                                  {"contrastive/grouped_info_nce", 1}, {"tokens/cross_entropy", 1},
                                                  {"policy/grpo", 2}, {"policy/dapo", 1}, {"policy/dr_grpo", 1}};
  if (const auto found = exps.find(loss); found != exps.end()) {
    const Number exp = results.ceiling("exp", type);
    const double items = own->second.per_item > 0 ? own->second.total / own->second.per_item : 0;
    return exp ? Number(found->second * *exp * items) : Number();
  }
  return problem.time("copy_floor");   // scores and labels in, a gradient out
}

}  // namespace report
