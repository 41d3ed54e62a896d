// rankgrad/rankgrad.hpp: everything but the opt-in headers: exec/threads.hpp, exec/openmp.hpp, interop/*.
// SPDX-License-Identifier: MIT
#pragma once

// What a list, a batch, a gradient and a loss are; how they are evaluated.
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/core/combinators.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/core/random.hpp>

// Losses of single items, of pairs, of whole lists.
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

// Is my own loss right?
#include <rankgrad/check/gradient_check.hpp>
