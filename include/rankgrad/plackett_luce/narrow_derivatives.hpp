// rankgrad/plackett_luce/narrow_derivatives.hpp: gradient and curvature of a list whose exponentials need no care.
// SPDX-License-Identifier: MIT
//
// Formulas and names: plackett_luce/scan.hpp. a and b are prefix sums over places, and over all of a group where there are
// ties. Of a group that is cut, the parts are summed first; the pieces of whole groups start from what the pieces before
// them have left. A team needs that before it begins, and so divides twice; one worker goes through the pieces in order.
#pragma once

#include <rankgrad/plackett_luce/pieces.hpp>
#include <rankgrad/simd/scan.hpp>

namespace rankgrad::inline RANKGRAD_ABI::plackett_luce {

template <bool Curved>
class NarrowDerivatives {
  using Pack = simd::Pack<double>;
  static constexpr std::size_t width = simd::lanes<double>;

  /// What places give to a and b.
  struct Above {
    double a = 0, b = 0;
    Above& operator+=(const Above& other) { return a += other.a, b += other.b, *this; }
    friend Above operator+(Above x, const Above& y) { return x += y; }
  };
  /// What places of a group give to the group itself, and to all below it.
  struct Shares {
    Above own, all;
    Shares& operator+=(const Shares& other) { return own += other.own, all += other.all, *this; }
  };

 public:
  NarrowDerivatives(const Target& target, const double* exponentials, const double* denominators, const double* place,
                    const double* item, double* gradient, double* curvature)
      : target_(target), exponentials_(exponentials), denominators_(denominators), place_(place), item_(item),
        gradient_(gradient), curvature_(curvature) {}

  void run(const Pieces& pieces, Workspace& workspace) const {
    if (pieces.size() == 1) return static_cast<void>(groups<true>(pieces[0], {}));
    const auto frame = workspace.frame();
    const bool team = workspace.team() != nullptr;
    auto* const sums = workspace.take<Shares>(pieces.size());   // of whole groups only `all`
    auto* const above = workspace.take<Above>(pieces.size());
    pieces.for_each([&](std::size_t p, const Piece& piece, Workspace&) {
      if (piece.part) sums[p] = shares(target_.begin(piece.group), target_.end(piece.group), piece.begin, piece.end);
      else if (team) sums[p].all = groups<false>(piece, {});
    });
    pieces.join_parts(sums);
    const auto write = [&](std::size_t p, const Piece& piece, Workspace&) {
      if (piece.part) write_tied(piece.begin, piece.end, room(piece), above[p] + sums[p].own);
      else sums[p].all = groups<true>(piece, above[p]);
    };
    Above next;
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      above[p] = next;
      if (!team) write(p, pieces[p], workspace);
      if (pieces.ends_group(p)) next += sums[p].all;
    }
    if (team) pieces.for_each(write);
  }

 private:
  /// Up to where packs may be written: the list ends in padding, a piece where another begins.
  std::size_t room(const Piece& piece) const { return piece.end == target_.n ? piece.end + width : piece.end; }
  static void put(double* to, std::size_t k, std::size_t room, Pack x) { simd::store_up_to(to + k, room - k, x); }
  /// x[k], x[k + 1], ... as far as they stand before `to`, and `fill` behind.
  static Pack first(const double* x, std::size_t k, std::size_t to, double fill) {
    return simd::load_up_to(x + k, to - k, fill);
  }

  /// A piece of whole groups: returns what it adds to a and b.
  template <bool written>
  Above groups(const Piece& piece, const Above& above) const {
    const std::size_t room = this->room(piece);
    Above own;   // of the piece, so far
    std::size_t done = piece.begin;
    for_each_tie(target_, piece, [&](std::size_t b, std::size_t e, std::size_t, std::size_t) RANKGRAD_INLINE {
      untied<written>(done, b, room, above, own);
      const Shares group = shares(b, e, b, e);
      if constexpr (written) write_tied(b, e, room, above + (own + group.own));
      own += group.all;
      done = e;
    });
    untied<written>(done, piece.end, room, above, own);
    return own;
  }

  /// The places [from, to), none of them tied.
  template <bool written>
  void untied(std::size_t from, std::size_t to, std::size_t room, const Above& above, Above& own) const {
    if (from == to) return;
    const Pack a_above(above.a), b_above(above.b);
    Pack a_own(own.a), b_own(own.b);
    for (std::size_t k = from; k < to; k += width) {   // what runs over is overwritten by the next group
      const Pack d = first(denominators_, k, to, 1), t = first(place_, k, to, 0) / d, s = simd::prefix_sum(t);
      [[maybe_unused]] const Pack e = simd::load(exponentials_ + k), a = a_above + (a_own + s);
      a_own = a_own + simd::last_everywhere(s);
      if constexpr (written) put(gradient_, k, room, simd::fma(e, a, -simd::load(item_ + k)));
      if constexpr (Curved) {
        const Pack s2 = simd::prefix_sum(t / d);
        if constexpr (written) {
          const Pack h = e * simd::fnma(e, b_above + (b_own + s2), a);
          put(curvature_, k, room, simd::select(h < Pack(0.0), Pack(0.0), h));
        }
        b_own = b_own + simd::last_everywhere(s2);
      }
    }
    own = {simd::sum(a_own) / static_cast<double>(width), simd::sum(b_own) / static_cast<double>(width)};
  }

  /// The places [from, to) of the group [b, e).
  RANKGRAD_INLINE Shares shares(std::size_t b, std::size_t e, std::size_t from, std::size_t to) const {
    const Pack f = target_.step(b, e);
    Pack a_own(0.0), b_own(0.0), a_all(0.0), b_all(0.0);
    for (std::size_t k = from; k < to; k += width) {
      const Pack share = Target::shares(k, b, f), d = first(denominators_, k, to, 1), t = first(place_, k, to, 0) / d;
      a_own = simd::fma(t, share, a_own);
      a_all = a_all + t;
      if constexpr (Curved) {
        const Pack t2 = t / d;
        b_own = simd::fma(t2, share * share, b_own);
        b_all = b_all + t2;
      }
    }
    return {{simd::sum(a_own), Curved ? simd::sum(b_own) : 0.0}, {simd::sum(a_all), Curved ? simd::sum(b_all) : 0.0}};
  }

  /// The places [from, to) of one group: a and b are the same for all of it.
  RANKGRAD_INLINE void write_tied(std::size_t from, std::size_t to, std::size_t room, const Above& sums) const {
    const Pack a(sums.a), b(sums.b);
    const auto write = [&](std::size_t k, std::size_t limit) RANKGRAD_INLINE {
      const Pack e = simd::load(exponentials_ + k);
      put(gradient_, k, limit, simd::fma(e, a, -simd::load(item_ + k)));
      if constexpr (Curved) {
        const Pack h = e * simd::fnma(e, b, a);
        put(curvature_, k, limit, simd::select(h < Pack(0.0), Pack(0.0), h));
      }
    };
    std::size_t k = from;
    for (; k + width <= to; k += width) write(k, k + width);
    if (k < to) write(k, room);
  }

  const Target& target_;
  const double *exponentials_, *denominators_, *place_, *item_;
  double *gradient_, *curvature_;
};

}  // namespace rankgrad::plackett_luce
