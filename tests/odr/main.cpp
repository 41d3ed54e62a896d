// Each flavour must have kept its own kernels, whichever came first at link time, and both the same numbers.
#include <cmath>
#include <cstdio>

double baseline();
double avx2();

int main() {
  const double a = baseline(), b = avx2();
  const double lanes_a = std::floor(a / 1000), lanes_b = std::floor(b / 1000);
  std::printf("baseline %g lanes, avx2 %g lanes, values %.6f %.6f\n", lanes_a, lanes_b, a - 1000 * lanes_a, b - 1000 * lanes_b);
  const bool same = std::abs((a - 1000 * lanes_a) - (b - 1000 * lanes_b)) < 1e-4;
  return lanes_a == 4 && lanes_b == 8 && same ? 0 : 1;
}
