#include "support/catch.hpp"

#include <rankgrad/curriculum/schedule.hpp>

#include <limits>

namespace rg = rankgrad;

TEST_CASE("a curriculum fades linearly and then ends", "[curriculum]") {
  const rg::CurriculumSchedule schedule;
  CHECK(schedule.epochs == 20.0);
  CHECK(schedule.progress(0) == 0.0);
  CHECK(schedule.progress(5) == 0.25);
  CHECK(schedule.progress(19.5) == 0.975);
  CHECK(schedule.progress(20) == 1.0);
  CHECK(schedule.progress(1000) == 1.0);
  CHECK(schedule.progress(-3) == 0.0);
  CHECK(schedule.weight(0.875, 5) == Approx(0.90625 + 7.5e-9).epsilon(1e-15));
  CHECK(schedule.weight(0, 0) == 1e-8);
  CHECK(schedule.weight(0.3, 20) == 1.0);
  CHECK(schedule.weight(0.3, 0) == 0.3 + 1e-8);
}

TEST_CASE("without epochs there is no curriculum, or one that never ends", "[curriculum]") {
  for (const double m : {0.0, -1.0}) {
    const rg::CurriculumSchedule none{.epochs = m}, endless{.epochs = m, .without_epochs = rg::WithoutEpochs::never_ends};
    for (const double epoch : {0.0, 1.0, 100.0}) {
      CHECK(none.progress(epoch) == 1.0);
      CHECK(none.weight(0.1, epoch) == 1.0);
      CHECK(endless.progress(epoch) == 0.0);
      CHECK(endless.weight(0.1, epoch) == 0.1 + 1e-8);
    }
  }
  CHECK(rg::CurriculumSchedule{}.check());
  CHECK_FALSE(rg::CurriculumSchedule{.epochs = std::numeric_limits<double>::infinity()}.check());
}
