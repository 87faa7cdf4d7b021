// SPDX-License-Identifier: Apache-2.0
// Eigen's matrix product on the calling thread alone.
#pragma once

#include <concepts>
#include <type_traits>

#include <Eigen/Core>

namespace jessl::eval::detail {

template <class M>
inline constexpr int storage_order = M::IsRowMajor ? Eigen::RowMajor : Eigen::ColMajor;

template <class M>
inline constexpr bool contiguous = Eigen::internal::inner_stride_at_compile_time<M>::ret == 1;

/// out += a * b for matrices, maps or references of one scalar type with inner stride 1, on the calling thread.
///
/// In a program compiled with OpenMP, as those that use LibTorch are, Eigen's operator* starts a team of threads of its
/// own in each thread that calls it. eval's threads come from one jessl::ThreadPool, so each of them must
/// stay alone: this is the call that operator* makes when OpenMP is off.
template <class A, class B, class Out>
void add_product(const A& a, const B& b, Out&& out) {
  using Destination = std::remove_cvref_t<Out>;
  using Scalar = typename Destination::Scalar;
  static_assert(std::same_as<typename A::Scalar, Scalar> && std::same_as<typename B::Scalar, Scalar>,
                "jessl::eval::detail::add_product multiplies matrices of one scalar type");
  static_assert(Destination::IsRowMajor, "jessl::eval::detail::add_product writes row-major matrices");
  static_assert(contiguous<A> && contiguous<B> && contiguous<Destination>,
                "jessl::eval::detail::add_product needs contiguous rows or columns");
  using Product = Eigen::internal::general_matrix_matrix_product<Eigen::Index, Scalar, storage_order<A>, false, Scalar,
                                                                 storage_order<B>, false, Eigen::RowMajor, 1>;
  Eigen::internal::gemm_blocking_space<Eigen::RowMajor, Scalar, Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::Dynamic>
      blocking(out.rows(), out.cols(), a.cols(), 1, true);
  Product::run(out.rows(), out.cols(), a.cols(), a.data(), a.outerStride(), b.data(), b.outerStride(), out.data(), 1,
               out.outerStride(), Scalar{1}, blocking, nullptr);
}

}  // namespace jessl::eval::detail
