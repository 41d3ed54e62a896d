// The same losses as one writes them with libtorch: tensor expressions on one thread, the gradient by autograd. Lists of
// one length stand in a [lists, items] tensor without padding; pairs in a [lists, items, items] tensor with a mask.
// What does not depend on the scores' values (masks of a triplet, indices as int64) is made once and kept.
#include "support/problem.hpp"

#include <torch/torch.h>

#include <map>

namespace bench::libtorch {
namespace {

using torch::Tensor;

struct Batch {
  Tensor scores, labels, easiness;
};
/// Of every list its loss, and whether it carries a signal.
struct PerList {
  Tensor loss, valid;
};

Tensor view(const std::vector<float>& values, at::IntArrayRef shape) {
  return torch::from_blob(const_cast<float*>(values.data()), shape, torch::kFloat32);
}

PerList softmax(const Batch& b) {
  return {-(b.labels * torch::log_softmax(b.scores, 1)).sum(1), b.labels.sum(1) > 0};
}
PerList list_mle(const Batch& b) {
  const Tensor order = std::get<1>(torch::sort(b.labels, /*stable=*/true, 1, /*descending=*/true));
  const Tensor s = b.scores.gather(1, order);
  const Tensor log_sum = torch::logcumsumexp(s.flip(1), 1).flip(1);
  return {(log_sum - s).sum(1), torch::ones({s.size(0)}, torch::kBool)};
}

Tensor differences(const Tensor& x) { return x.unsqueeze(2) - x.unsqueeze(1); }
Tensor comparable(const Batch& b) { return b.labels.unsqueeze(2) > b.labels.unsqueeze(1); }
PerList mean_over_pairs(const Tensor& terms, const Tensor& mask) {
  const Tensor pairs = mask.sum({1, 2});
  return {(terms * mask).sum({1, 2}) / pairs.clamp_min(1), pairs > 0};
}

PerList ranknet(const Batch& b) { return mean_over_pairs(torch::softplus(-differences(b.scores)), comparable(b)); }
PerList curriculum(const Batch& b) {
  constexpr double progress = 0.25;
  const Tensor weight = ((differences(b.easiness) + 1) / 2 + 1e-8) * (1 - progress) + progress;
  return mean_over_pairs(weight * torch::softplus(-differences(b.scores)), comparable(b));
}
PerList mann_whitney(const Batch& b) {
  if (b.scores.size(0) > 1) return ranknet(b);   // labels are 0 and 1
  const Tensor positive = b.labels > 0, high = b.scores.masked_select(positive), low = b.scores.masked_select(~positive);
  const Tensor valid = torch::full({1}, high.numel() > 0 && low.numel() > 0, torch::kBool);
  if (!valid.item<bool>()) return {b.scores.sum(1) * 0, valid};
  return {torch::softplus(low.unsqueeze(0) - high.unsqueeze(1)).mean().unsqueeze(0), valid};
}
PerList lambdarank(const Batch& b) {
  Tensor weight, valid;
  {
    const torch::NoGradGuard constant;
    const Tensor by_rank = 1 / torch::log2(torch::arange(b.scores.size(1), torch::kFloat32) + 2);
    const Tensor gain = torch::exp2(b.labels) - 1;
    const Tensor ideal = (std::get<0>(gain.sort(1, true)) * by_rank).sum(1, true);
    const Tensor order = b.scores.argsort(1, true);
    const Tensor discount = torch::empty_like(gain).scatter_(1, order, by_rank.expand_as(gain));
    weight = differences(gain / ideal.clamp_min(1e-30)) * differences(discount).abs() * comparable(b);
    valid = weight.amax({1, 2}) > 0;
  }
  return {(weight * torch::softplus(-differences(b.scores))).sum({1, 2}), valid};
}

/// The gradient of `loss` by `leaf`, copied to where the caller wants it; the value.
double finish(const Tensor& loss, const Tensor& leaf, std::span<float> gradient) {
  const Tensor slope = torch::autograd::grad({loss}, {leaf})[0];
  torch::from_blob(gradient.data(), slope.sizes(), torch::kFloat32).copy_(slope);
  return loss.item<double>();
}

template <class Loss>
auto over_lists(const Loss& loss) {
  return [loss](const Lists<float>& in, std::span<float> gradient) -> double {
    const auto lists = static_cast<std::int64_t>(in.size()), n = static_cast<std::int64_t>(in.scores.size()) / lists;
    const auto rows = [&](const std::vector<float>& all) { return all.empty() ? Tensor() : view(all, {lists, n}); };
    const Batch batch{rows(in.scores).requires_grad_(), rows(in.labels), rows(in.easiness)};
    const PerList result = loss(batch);
    return finish((result.loss * result.valid).sum() / result.valid.sum().clamp_min(1), batch.scores, gradient);
  };
}

double bradley_terry(const Comparisons<float>& in, std::span<float> gradient) {
  struct Known {
    Tensor first, second, share;   // share: of the win that the first gets
  };
  static std::map<const void*, Known> known;
  Known& k = known[in.first.data()];
  if (!k.first.defined()) {
    const auto indices = [](const std::vector<std::uint32_t>& all) {
      return torch::tensor(std::vector<std::int64_t>(all.begin(), all.end()));
    };
    std::vector<float> share;
    for (const std::uint8_t outcome : in.outcome) share.push_back(outcome == 0 ? 1.0F : outcome == 1 ? 0.0F : 0.5F);
    k = {indices(in.first), indices(in.second), torch::tensor(share)};
  }
  const Tensor scores = view(in.scores, {static_cast<std::int64_t>(in.scores.size())}).requires_grad_();
  const Tensor d = scores.index_select(0, k.first) - scores.index_select(0, k.second);
  return finish((torch::softplus(-d) + (1 - k.share) * d).mean(), scores, gradient);
}

double triplet(const Similarities<float>& in, std::span<float> gradient) {
  constexpr double temperature = 0.015, margin = 0.1;
  const double never = -std::numeric_limits<double>::infinity();
  static std::map<const void*, Tensor> known;
  Tensor& same = known[in.ids.data()];
  if (!same.defined()) {
    const Tensor ids = torch::tensor(in.ids);
    same = ids.unsqueeze(0) == ids.unsqueeze(1);
  }
  const auto n = static_cast<std::int64_t>(in.ids.size());
  const Tensor s = view(in.matrix, {n, n}).requires_grad_();
  const Tensor scaled = s / temperature;
  Tensor total;
  for (const int along : {1, 0}) {
    const Tensor share = torch::softmax(scaled.detach().masked_fill(~same, never), along);
    const Tensor negatives = temperature * torch::logsumexp(scaled.masked_fill(same, never), along);
    const Tensor part = torch::relu(margin - (share * s).sum(along) + negatives).sum();
    total = total.defined() ? total + part : part;
  }
  return finish(total, s, gradient);
}

constexpr std::size_t longest_for_pairs = 4096;   // n^2 floats, several times over

void append_for(std::string_view loss, Methods<Lists<float>>& methods) {
  const auto add = [&](std::string_view name, auto of, std::size_t largest) {
    if (loss == name) methods.push_back({"libtorch", over_lists(of), largest, Compare::roughly, false});
  };
  add("listwise/softmax", softmax, ~std::size_t{0});
  add("plackett_luce/listmle", list_mle, ~std::size_t{0});
  add("pairwise/ranknet", ranknet, longest_for_pairs);
  add("pairwise/lambdarank", lambdarank, longest_for_pairs);
  add("curriculum/ranknet", curriculum, longest_for_pairs);
  add("auc/mann_whitney_logistic", mann_whitney, longest_for_pairs);
}
void append_for(std::string_view loss, Methods<Comparisons<float>>& methods) {
  if (loss == "bradley_terry/bradley_terry") methods.push_back({"libtorch", bradley_terry, ~std::size_t{0}, Compare::roughly});
}
void append_for(std::string_view loss, Methods<Similarities<float>>& methods) {
  if (loss != "triplet/triplet_log_sum_exp") return;
  methods.push_back({"libtorch", triplet, ~std::size_t{0}, Compare::roughly});
}
void append_for(std::string_view loss, Methods<Embeddings<float>>& methods) {
  if (!loss.starts_with("embedding/info_nce")) return;
  const bool both = loss.ends_with("_both"), forward = loss.ends_with("_value");
  methods.push_back({"libtorch", [=](const Embeddings<float>& in, std::span<float> gradient) {
                       const auto n = static_cast<std::int64_t>(in.rows()), d = static_cast<std::int64_t>(in.dimension);
                       const Tensor q = view(in.queries, {n, d}).clone().requires_grad_(!forward);
                       const Tensor k = view(in.documents, {n, d}).clone().requires_grad_(!forward);
                       const Tensor logits = q.mm(k.t()) / 0.05, own = torch::arange(n);
                       Tensor value = torch::nn::functional::cross_entropy(logits, own);
                       if (both) value = (value + torch::nn::functional::cross_entropy(logits.t(), own)) / 2;
                       if (forward) return static_cast<double>(value.item<float>());
                       value.backward();
                       const auto keep = [](const Tensor& t, float* to) { std::copy_n(t.grad().data_ptr<float>(), t.numel(), to); };
                       keep(q, gradient.data());
                       keep(k, gradient.data() + in.queries.size());
                       return static_cast<double>(value.item<float>());
                     }});
}
template <class Input>
void append_for(std::string_view, Methods<Input>&) {}   // in float only

}  // namespace

template <class Input>
void append(std::string_view loss, Methods<Input>& methods) {
  static const bool one_thread = (torch::set_num_threads(1), true);
  static_cast<void>(one_thread);
  append_for(loss, methods);
}
template void append(std::string_view, Methods<Lists<float>>&);
template void append(std::string_view, Methods<Lists<double>>&);
template void append(std::string_view, Methods<Comparisons<float>>&);
template void append(std::string_view, Methods<Comparisons<double>>&);
template void append(std::string_view, Methods<Similarities<float>>&);
template void append(std::string_view, Methods<Similarities<double>>&);
template void append(std::string_view, Methods<Rollouts<float>>&);
template void append(std::string_view, Methods<Rollouts<double>>&);
template void append(std::string_view, Methods<Preferences<float>>&);
template void append(std::string_view, Methods<Preferences<double>>&);
template void append(std::string_view, Methods<Embeddings<float>>&);

}  // namespace bench::libtorch
