// SPDX-License-Identifier: Apache-2.0
// Collectives by LibTorch's distributed engine, c10d: Gloo on CPUs, NCCL on GPUs.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

// LibTorch's headers declare this for who says that it was built with it, as PyPI's is; nobody else is to see it said.
#pragma push_macro("USE_DISTRIBUTED")
#pragma push_macro("USE_C10D_GLOO")
#pragma push_macro("USE_C10D_NCCL")
#undef USE_DISTRIBUTED
#undef USE_C10D_GLOO
#undef USE_C10D_NCCL
#define USE_DISTRIBUTED
#define USE_C10D_GLOO
#if defined(JESSL_CUDA)
#define USE_C10D_NCCL
#endif
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#if defined(JESSL_CUDA)
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#undef USE_DISTRIBUTED
#undef USE_C10D_GLOO
#undef USE_C10D_NCCL
#pragma pop_macro("USE_DISTRIBUTED")
#pragma pop_macro("USE_C10D_GLOO")
#pragma pop_macro("USE_C10D_NCCL")

#include <jessl/core/collectives.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/hardware_threads.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/distributed/environment.hpp>
#include <jessl/distributed/group_options.hpp>

namespace jessl::distributed::detail {

/// A message of LibTorch's without its backtrace, on one line.
inline std::string reason_of(const std::exception& error) {
  const auto* const torch_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

/// What the ranks tell each other beside the collectives, through the store in which they met: who still runs when something went
/// wrong, and who ended and why.
///
/// Shapes     none
/// Errors     none: of a store that is gone it tells that
/// Models     none
/// Source     none
class Noticeboard {
 public:
  Noticeboard(c10::intrusive_ptr<c10d::Store> store, std::int64_t rank, std::int64_t size, bool is_host)
      : store_(std::move(store)), rank_(rank), size_(size), is_host_(is_host) {}

  /// Which ranks do not answer, and what the others that ended said, in words.
  [[nodiscard]] std::string what_happened() {
    try {
      store_->set(key("runs", rank_), "1");
      std::vector<std::int64_t> silent = wait_for_all();
      std::string text;
      for (std::int64_t rank = 0; rank < size_; ++rank) {
        if (store_->check({key("ended", rank)}))
          text += concat(text.empty() ? "" : "; ", "rank ", rank, " ended: ", store_->get_to_str(key("ended", rank)));
      }
      for (const std::int64_t rank : silent)
        text += concat(text.empty() ? "" : "; ", "rank ", rank, " does not answer: it was killed, or hangs");
      return text.empty() ? "all ranks answer: a slow network, or one that took longer than the time limit" : text;
    } catch (const std::exception&) {
      return "rank 0 does not answer, at whose place the ranks meet: it was killed, or hangs";
    }
  }

  /// Leaves word why this rank ends. The host waits until the others have had time to read it.
  void say_farewell(const std::string& why) {
    try {
      store_->set(key("ended", rank_), why);
      store_->set(key("runs", rank_), "1");
      if (is_host_) (void)wait_for_all();
    } catch (const std::exception&) {  // there is nobody to tell
    }
  }

 private:
  static constexpr std::chrono::milliseconds patience{4000};
  static constexpr std::chrono::milliseconds pause{50};

  [[nodiscard]] static std::string key(std::string_view what, std::int64_t rank) {
    return concat("jessl/", what, '/', rank);
  }

  /// The ranks that have not answered after a while.
  [[nodiscard]] std::vector<std::int64_t> wait_for_all() {
    // The host outlasts the others, who ask it.
    const auto end = std::chrono::steady_clock::now() + (is_host_ ? 2 * patience : patience);
    std::vector<std::int64_t> silent;
    for (std::int64_t rank = 0; rank < size_; ++rank) silent.push_back(rank);
    while (true) {
      std::erase_if(silent, [&](std::int64_t rank) { return store_->check({key("runs", rank)}); });
      if (silent.empty() || std::chrono::steady_clock::now() >= end) return silent;
      std::this_thread::sleep_for(pause);
    }
  }

  c10::intrusive_ptr<c10d::Store> store_;
  std::int64_t rank_;
  std::int64_t size_;
  bool is_host_;
};

/// Leaves out what the Reducer warns of in every run, and passes the rest on: that strides of weights with one input channel can be written in
/// two ways, and that all parameters were reached where some need not be.
///
/// Shapes     none
/// Errors     none
/// Models     c10::WarningHandler
/// Source     none
class WithoutReducerWarnings final : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override {
    for (const char* known :
         {"Grad strides do not match bucket view strides", "find_unused_parameters=True was specified"}) {
      if (warning.msg().find(known) != std::string::npos) return;
    }
    c10::WarningHandler::process(warning);
  }
};

/// Gradients averaged by c10d's Reducer, in buckets, while the backward pass goes on.
///
/// Shapes     none
/// Errors     DistributedError where another rank is gone or late; ConfigError as GradientAverage
/// Models     none
/// Source     Li et al., PyTorch Distributed: Experiences on Accelerating Data Parallel Training, VLDB 2020, arXiv 2006.15704
class ReducerAverage final : public GradientAverage {
 public:
  using Named = std::vector<std::pair<std::string, torch::Tensor>>;
  using Guard = std::function<void(std::string_view, const std::function<void()>&)>;

  ReducerAverage(const Named& parameters, const c10::intrusive_ptr<c10d::ProcessGroup>& group, bool may_miss,
                 Guard guard)
      : may_miss_(may_miss), guard_(std::move(guard)) {
    std::vector<torch::Tensor> tensors;
    std::unordered_map<std::size_t, std::string> names;
    for (const auto& [name, tensor] : parameters) {
      if (!tensor.requires_grad()) continue;
      names.emplace(tensors.size(), name);
      tensors.push_back(tensor);
      names_.push_back(name);
    }
    if (tensors.empty()) return;
    const std::vector<bool> sparse(tensors.size(), false);
    // Python's DistributedDataParallel has the same sizes. The backward pass reaches the last parameters first.
    auto buckets = std::get<0>(
        c10d::compute_bucket_assignment_by_size(tensors, {c10d::kDefaultFirstBucketBytes, bucket_bytes}, sparse));
    std::reverse(buckets.begin(), buckets.end());
    reducer_ = std::make_unique<c10d::Reducer>(std::move(tensors), std::move(buckets), group, sparse, bucket_bytes,
                                               may_miss, /*gradient_as_bucket_view=*/true, std::move(names),
                                               c10d::kDefaultFirstBucketBytes, /*skip_all_reduce_unused_params=*/false,
                                               /*use_python_reducer=*/false, std::vector<std::int64_t>{});
  }

  ~ReducerAverage() override {
    if (reducer_) reducer_->remove_autograd_hooks();
  }

  void expect(const torch::Tensor& loss) override {
    if (!reducer_) return;
    guard_("average gradients", [&] {
      reducer_->prepare_for_forward();
      if (used_) reducer_->rebuild_buckets();
      reducer_->prepare_for_backward(may_miss_ ? std::vector<torch::Tensor>{loss} : std::vector<torch::Tensor>());
    });
    used_ = true;
    quiet_.emplace(&warnings_);
  }

  void finish() override {
    if (!reducer_) return;
    quiet_.reset();
    try {
      reducer_->check_finalized();
    } catch (const c10::Error& error) {
      fail<ConfigError>(
          "jessl::Trainer: the backward pass did not reach ", missed(error.what_without_backtrace()),
          ", so that the ranks wait for its gradient; let the network use it, or call requires_grad_(false) "
          "on it before the run");
    }
  }

 private:
  static constexpr std::int64_t bucket_bytes = c10d::kDefaultBucketBytesCap;

  /// The names behind the numbers in the Reducer's message: "... did not receive grad for rank 0: 3 7".
  [[nodiscard]] std::string missed(const std::string& message) const {
    const std::size_t head = message.find("receive grad for rank");
    const std::size_t colon = head == std::string::npos ? head : message.find(':', head);
    std::string text;
    if (colon != std::string::npos) {
      const char* position = message.data() + colon + 1;
      const char* const end = message.data() + message.size();
      while (position != end && *position == ' ') {
        std::size_t number = 0;
        const auto [stop, error] = std::from_chars(position + 1, end, number);
        if (error != std::errc{}) break;
        if (number < names_.size()) text += (text.empty() ? "" : ", ") + names_[number];
        position = stop;
      }
    }
    return text.empty() ? "some parameter" : text;
  }

  bool may_miss_;
  Guard guard_;
  std::vector<std::string> names_{};
  std::unique_ptr<c10d::Reducer> reducer_{};
  bool used_ = false;
  WithoutReducerWarnings warnings_{};
  std::optional<c10::WarningUtils::WarningHandlerGuard> quiet_{};  // of this thread, during the backward pass
};

/// Collectives by c10d.
///
/// Shapes     as Collectives
/// Errors     DistributedError, with the ranks that do not answer
/// Models     none
/// Source     none
class C10d final : public Collectives {
 public:
  /// Meets the other ranks.
  C10d(const Environment& environment, const GroupOptions& options)
      : rank_(environment.rank), size_(environment.size), timeout_(options.timeout) {
    const auto milliseconds = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout * 1000));
    const std::string place = concat(environment.address, ':', environment.port);
    try {
      c10d::TCPStoreOptions settings;
      settings.port = static_cast<std::uint16_t>(environment.port);
      settings.isServer = rank_ == 0 && !environment.has_host;
      settings.numWorkers = static_cast<std::size_t>(size_);
      settings.waitWorkers = !environment.has_host;
      settings.timeout = milliseconds;
      // A restart must not find what the start before it left with a host that outlives both.
      store_ =
          c10::make_intrusive<c10d::PrefixStore>(concat("jessl/attempt_", environment.attempt),
                                                 c10::make_intrusive<c10d::TCPStore>(environment.address, settings));
      board_ = std::make_unique<Noticeboard>(store_, rank_, size_, settings.isServer);
      group_ = c10::make_intrusive<c10d::ProcessGroup>(store_, static_cast<int>(rank_), static_cast<int>(size_));
      options.backend == Backend::nccl ? start_nccl(environment, milliseconds) : start_gloo(environment, milliseconds);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      fail<DistributedError>("jessl::distributed::Group: rank ", rank_, " of ", size_, " (", environment.launcher,
                             ") did not meet the others at ", place, " within ", options.timeout,
                             " s: ", reason_of(error), "; were all ", size_,
                             " processes started, and can they reach that place?");
    }
    sharing_ = count_sharing();
  }

  ~C10d() override = default;

  [[nodiscard]] std::int64_t rank() const override { return rank_; }
  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] std::int64_t sharing_cores() const override { return sharing_; }

  void all_reduce(torch::Tensor& x) override {
    guard("sum over the ranks", [&] {
      std::vector<torch::Tensor> carried{carry(x.contiguous())};
      group_->allreduce(carried)->wait();
      if (!carried[0].is_same(x)) x.copy_(carried[0]);
    });
  }

  [[nodiscard]] torch::Tensor all_gather(const torch::Tensor& x) override {
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape[0] *= size_;
    torch::Tensor all;
    guard("gather from the ranks", [&] {
      torch::Tensor carried = carry(x.detach().contiguous());
      torch::Tensor made = torch::empty(shape, carried.options());
      group_->_allgather_base(made, carried)->wait();
      all = made.to(x.device());
    });
    return all;
  }

  void broadcast(const std::vector<torch::Tensor>& tensors) override {
    guard("send from rank 0", [&] {
      const torch::NoGradGuard no_gradient;
      for (const torch::Tensor& tensor : tensors) {
        std::vector<torch::Tensor> carried{carry(tensor.detach().contiguous())};
        group_->broadcast(carried)->wait();
        tensor.detach().copy_(carried[0]);
      }
    });
  }

  [[nodiscard]] std::unique_ptr<GradientAverage> average_gradients(
      const std::vector<std::pair<std::string, torch::Tensor>>& parameters, bool may_miss) override {
    std::unique_ptr<GradientAverage> average;
    guard("agree on gradients", [&] {
      average = std::make_unique<ReducerAverage>(
          parameters, group_, may_miss,
          [this](std::string_view what, const std::function<void()>& body) { guard(what, body); });
    });
    return average;
  }

  void say_farewell(const std::string& why) override { board_->say_farewell(why); }

  [[nodiscard]] std::string explain(const std::exception& error) override {
    return concat("jessl::distributed::Group: rank ", rank_, " of ", size_, " lost the others (time limit ", timeout_,
                  " s): ", board_->what_happened(), "; LibTorch says: ", reason_of(error));
  }

 private:
  void start_gloo(const Environment& environment, std::chrono::milliseconds timeout) {
    auto settings = c10d::ProcessGroupGloo::Options::create(timeout);
    const std::string interfaces = environment_variable("GLOO_SOCKET_IFNAME").value_or("");
    const bool here = environment.address == "127.0.0.1" || environment.address == "localhost";
    settings->devices.push_back(!interfaces.empty() ? c10d::ProcessGroupGloo::createDeviceForInterface(interfaces)
                                : here              ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                                    : c10d::ProcessGroupGloo::createDefaultDevice());
    settings->threads = 2 * static_cast<int>(settings->devices.size());
    const auto gloo =
        c10::make_intrusive<c10d::ProcessGroupGloo>(store_, static_cast<int>(rank_), static_cast<int>(size_), settings);
    use(gloo, c10d::ProcessGroup::BackendType::GLOO, c10::DeviceType::CPU);
  }

#if defined(JESSL_CUDA)
  void start_nccl(const Environment& environment, std::chrono::milliseconds timeout) {
    const auto devices = static_cast<std::int64_t>(torch::cuda::device_count());
    JESSL_CHECK(environment.local_rank < devices, ConfigError, who,
                "NCCL wants a GPU for each process, and this machine has ", devices, " for local rank ",
                environment.local_rank, "; start fewer processes a machine, or use Gloo");
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(environment.local_rank));
    carrier_ = torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(environment.local_rank));
    auto settings = c10d::ProcessGroupNCCL::Options::create();
    settings->timeout = timeout;
    const auto nccl =
        c10::make_intrusive<c10d::ProcessGroupNCCL>(store_, static_cast<int>(rank_), static_cast<int>(size_), settings);
    use(nccl, c10d::ProcessGroup::BackendType::NCCL, c10::DeviceType::CUDA);
  }
#else
  [[noreturn]] void start_nccl(const Environment&, std::chrono::milliseconds) {
    fail<ConfigError>(
        who,
        "the backend is nccl, and this program was built without CUDA; build it with JESSL_CUDA=ON, or use "
        "Gloo");
  }
#endif

  void use(const c10::intrusive_ptr<c10d::Backend>& backend, c10d::ProcessGroup::BackendType type,
           c10::DeviceType device) {
    group_->setDefaultBackend(type);
    group_->setBackend(device, type, backend);
  }

  /// A tensor where the backend takes it.
  [[nodiscard]] torch::Tensor carry(const torch::Tensor& x) const { return carrier_ ? x.to(*carrier_) : x; }

  /// The ranks that may use the same cores, this one among them.
  [[nodiscard]] std::int64_t count_sharing() {
    const auto own = torch::full(
        {1}, static_cast<std::int64_t>(std::hash<std::string>{}(jessl::detail::cores_in_words())), torch::kInt64);
    return (all_gather(own) == own).sum().item<std::int64_t>();
  }

  /// Calls body(); of what LibTorch throws in it, tells what it means.
  void guard(std::string_view what, const std::function<void()>& body) {
    try {
      body();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      fail<DistributedError>(explain(error), " (it wanted to ", what, ')');
    }
  }

  std::int64_t rank_;
  std::int64_t size_;
  double timeout_;
  std::int64_t sharing_ = 1;
  std::optional<torch::Device> carrier_{};
  c10::intrusive_ptr<c10d::Store> store_{};
  std::unique_ptr<Noticeboard> board_{};
  c10::intrusive_ptr<c10d::ProcessGroup> group_{};
};

}  // namespace jessl::distributed::detail
