// SPDX-License-Identifier: Apache-2.0
// Collectives by LibTorch's distributed engine, c10d: Gloo on CPUs, NCCL on GPUs.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
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

/// What the ranks know of each other beside the collectives, through the store in which they met: a thread of each says twice a second that
/// its process lives, and hears why others ended. So whoever waits in a collective is known to live, and a rank that was killed or stopped
/// is told from those that wait for it.
///
/// Shapes     none
/// Errors     none: of a store that is gone it tells that
/// Models     none
/// Source     none
class Noticeboard {
 public:
  Noticeboard(c10::intrusive_ptr<c10d::Store> store, std::int64_t rank, std::int64_t size, bool is_host)
      : shared_(std::make_shared<Shared>(std::move(store), rank, size)), is_host_(is_host) {
    // It may wait for a store that hangs, for which nobody else must wait: so it owns what it needs, and is not joined.
    std::thread(work, shared_).detach();
  }
  Noticeboard(const Noticeboard&) = delete;
  Noticeboard& operator=(const Noticeboard&) = delete;
  ~Noticeboard() {
    std::unique_lock lock(shared_->mutex);
    shared_->stops = true;
    shared_->change.notify_all();
    shared_->change.wait_for(lock, pause, [&] { return shared_->ended; });
  }

  /// What was said of earlier runs is forgotten. All ranks call it together.
  void begin_run() {
    const std::lock_guard lock(shared_->mutex);
    ++shared_->run;
    shared_->asks = false;
    shared_->verdict.clear();
    shared_->post.clear();
  }

  /// Which ranks do not answer, or what one that ended said, in words.
  [[nodiscard]] std::string what_happened() {
    std::unique_lock lock(shared_->mutex);
    shared_->asks = true;
    shared_->change.notify_all();
    const bool answered = shared_->change.wait_for(lock, 2 * patience, [&] { return !shared_->verdict.empty(); });
    if (!answered) return "rank 0 does not answer, at whose place the ranks meet: it was killed, or hangs";
    const std::string verdict = shared_->verdict;
    if (is_host_) let_others_hear(lock);
    return verdict;
  }

  /// Leaves word why this rank ends.
  void say_farewell(const std::string& why) {
    std::unique_lock lock(shared_->mutex);
    if (!shared_->verdict.empty()) return;  // it ends because another one did
    shared_->post = concat("rank ", shared_->rank, " ended: ", why);
    shared_->change.notify_all();
    shared_->change.wait_for(lock, patience, [&] { return shared_->post.empty(); });
    if (is_host_) let_others_hear(lock);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds pause{500};      // between two signs of life
  static constexpr std::chrono::milliseconds patience{3000};  // after which who gave none is silent

  struct Shared {
    Shared(c10::intrusive_ptr<c10d::Store> carrier, std::int64_t own_rank, std::int64_t ranks)
        : store(std::move(carrier)), rank(own_rank), size(ranks) {}

    c10::intrusive_ptr<c10d::Store> store;  // the thread's alone
    const std::int64_t rank;
    const std::int64_t size;
    std::mutex mutex{};
    std::condition_variable change{};
    std::int64_t run = 0;
    bool asks = false;
    bool stops = false;
    bool ended = false;
    std::string post{};     // to be told to all
    std::string verdict{};  // what happened
  };

  /// The store dies with the host: by then each rank is to have heard what is posted in it.
  void let_others_hear(std::unique_lock<std::mutex>& lock) {
    shared_->change.wait_for(lock, 3 * pause, [] { return false; });
  }

  static void work(const std::shared_ptr<Shared>& shared) {
    try {
      std::unique_lock lock(shared->mutex);
      std::vector<std::int64_t> signs;  // of life of each rank, when somebody began to ask
      Clock::time_point asked_at{};
      while (!shared->stops) {
        const std::string place = concat("verdict/", shared->run);
        const std::string post = shared->post;
        const bool asks = shared->asks && shared->verdict.empty();
        const bool wants = shared->verdict.empty();
        if (!asks) signs.clear();
        lock.unlock();
        const std::string verdict = look(*shared, place, post, wants, asks, signs, asked_at);
        lock.lock();
        if (place == concat("verdict/", shared->run)) {
          if (shared->post == post) shared->post.clear();
          if (shared->verdict.empty()) shared->verdict = verdict;
        }
        shared->change.notify_all();
        shared->change.wait_for(
            lock, pause, [&] { return shared->stops || !shared->post.empty() || (shared->asks && signs.empty()); });
      }
    } catch (const std::exception&) {  // the store is gone: what_happened() waits in vain, and tells that
    }
    const std::lock_guard lock(shared->mutex);
    shared->ended = true;
    shared->change.notify_all();
  }

  /// Gives a sign of life and says what is to be said; what happened, where that is known.
  [[nodiscard]] static std::string look(Shared& shared, const std::string& place, const std::string& post, bool wants,
                                        bool asks, std::vector<std::int64_t>& signs, Clock::time_point& asked_at) {
    c10d::Store& store = *shared.store;
    (void)store.add(concat("sign/", shared.rank), 1);
    if (!post.empty() && !store.check({place})) store.set(place, post);
    if (wants && store.check({place})) return store.get_to_str(place);
    if (!asks) return {};
    std::vector<std::int64_t> now;
    for (std::int64_t rank = 0; rank < shared.size; ++rank) now.push_back(store.add(concat("sign/", rank), 0));
    if (signs.empty()) {
      signs = std::move(now);
      asked_at = Clock::now();
      return {};
    }
    if (Clock::now() - asked_at < patience) return {};
    std::string text;
    for (std::int64_t rank = 0; rank < shared.size; ++rank) {
      const auto i = static_cast<std::size_t>(rank);
      if (now[i] == signs[i])
        text += concat(text.empty() ? "" : "; ", "rank ", rank, " does not answer: it was killed, or hangs");
    }
    if (text.empty()) text = "all processes live: a slow network, or a rank that took longer than the time limit";
    store.set(place, text);
    return text;
  }

  std::shared_ptr<Shared> shared_;
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

  void backward(const torch::Tensor& loss) override {
    WithoutReducerWarnings warnings;
    const c10::WarningUtils::WarningHandlerGuard quiet(&warnings);
    guard_("average gradients", [&] {
      if (reducer_) {
        reducer_->prepare_for_forward();
        if (used_) reducer_->rebuild_buckets();
        reducer_->prepare_for_backward(may_miss_ ? std::vector<torch::Tensor>{loss} : std::vector<torch::Tensor>());
        used_ = true;
      }
      loss.backward();
    });
    if (!reducer_) return;
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
    const std::size_t head = message.find("indices which did not receive grad for rank");
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
};

/// Collectives by c10d.
///
/// Shapes     as Collectives
/// Errors     DistributedError, with the ranks that do not answer
/// Models     none
/// Source     none
class C10d final : public Collectives {
 public:
  /// Meets the other ranks. `number` tells the groups of a process apart.
  C10d(const Environment& environment, const GroupOptions& options, std::int64_t number)
      : rank_(environment.rank), size_(environment.size), timeout_(options.timeout) {
    const auto milliseconds = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout * 1000));
    try {
      c10d::TCPStoreOptions settings;
      settings.port = static_cast<std::uint16_t>(environment.port);
      settings.isServer = rank_ == 0 && !environment.has_host;
      settings.numWorkers = static_cast<std::size_t>(size_);
      settings.waitWorkers = !environment.has_host;
      settings.timeout = milliseconds;
      const auto meeting = c10::make_intrusive<c10d::TCPStore>(environment.address, settings);
      // A restart must not find what the start before it left with a host that outlives both.
      const std::string prefix = concat("jessl/attempt_", environment.attempt, "/group_", number);
      store_ = c10::make_intrusive<c10d::PrefixStore>(prefix, meeting);
      board_ = std::make_unique<Noticeboard>(
          c10::make_intrusive<c10d::PrefixStore>(prefix + "/board", meeting->clone()), rank_, size_, settings.isServer);
      group_ = c10::make_intrusive<c10d::ProcessGroup>(store_, static_cast<int>(rank_), static_cast<int>(size_));
      start_gloo(environment, milliseconds);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      const std::string_view hint =
          environment.launcher == "SLURM"
              ? " (srun starts all of them; a script that starts one itself must unset SLURM_PROCID)"
              : "";
      fail<DistributedError>("jessl::distributed::Group: rank ", rank_, " of ", size_, " (", environment.launcher,
                             ") did not meet the others at ", environment.address, ':', environment.port, " within ",
                             options.timeout, " s: ", reason_of(error), "; were all ", size_, " processes started",
                             hint, ", and can they reach that place?");
    }
    if (options.backend != Backend::gloo) start_nccl(environment, milliseconds, options.backend == Backend::nccl);
    sharing_ = count_sharing();
  }

  ~C10d() override = default;

  [[nodiscard]] std::int64_t rank() const override { return rank_; }
  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] std::int64_t sharing_cores() const override { return sharing_; }

  void all_reduce(torch::Tensor& x) override {
    guard("sum over the ranks", [&] {
      std::vector<torch::Tensor> carried{x.contiguous()};
      group_->allreduce(carried)->wait();
      if (!carried[0].is_same(x)) x.copy_(carried[0]);
    });
  }

  [[nodiscard]] torch::Tensor all_gather(const torch::Tensor& x) override {
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape[0] *= size_;
    torch::Tensor all = torch::empty(shape, x.options().requires_grad(false));
    guard("gather from the ranks", [&] {
      torch::Tensor carried = x.detach().contiguous();
      group_->_allgather_base(all, carried)->wait();
    });
    return all;
  }

  void broadcast(const std::vector<torch::Tensor>& tensors) override {
    guard("send from rank 0", [&] {
      const torch::NoGradGuard no_gradient;
      for (const torch::Tensor& tensor : tensors) {
        std::vector<torch::Tensor> carried{tensor.detach().contiguous()};
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

  void begin_run() override { board_->begin_run(); }

  void say_farewell(const std::string& why) override { board_->say_farewell(why); }

 private:
  using BackendType = c10d::ProcessGroup::BackendType;

  void start_gloo(const Environment& environment, std::chrono::milliseconds timeout) {
    auto settings = c10d::ProcessGroupGloo::Options::create(timeout);
    const std::string interfaces = environment_variable("GLOO_SOCKET_IFNAME").value_or("");
    const bool here = environment.address == "127.0.0.1" || environment.address == "localhost";
    settings->devices.push_back(!interfaces.empty() ? c10d::ProcessGroupGloo::createDeviceForInterface(interfaces)
                                : here              ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                                    : c10d::ProcessGroupGloo::createDefaultDevice());
    const auto gloo =
        c10::make_intrusive<c10d::ProcessGroupGloo>(store_, static_cast<int>(rank_), static_cast<int>(size_), settings);
    group_->setDefaultBackend(BackendType::GLOO);
    group_->setBackend(c10::DeviceType::CPU, BackendType::GLOO, gloo);
    group_->setBackend(c10::DeviceType::CUDA, BackendType::GLOO, gloo);
  }

  /// NCCL for tensors of GPUs, where each rank has one. Where it `must` be, an error says who has none.
  void start_nccl(const Environment& environment, std::chrono::milliseconds timeout, bool must) {
#if defined(JESSL_CUDA)
    const auto devices = static_cast<std::int64_t>(torch::cuda::device_count());
#else
    constexpr std::int64_t devices = 0;
#endif
    const bool has_one = environment.local_rank < devices;
    torch::Tensor ranks_with = torch::full({1}, has_one ? 1 : 0, torch::kInt64);
    all_reduce(ranks_with);
    const bool all_have = ranks_with.item<std::int64_t>() == size_;
    JESSL_CHECK(all_have || !must, ConfigError, who, "NCCL wants a GPU for each process, and there is one for ",
                ranks_with.item<std::int64_t>(), " of ", size_, "; this one, with local rank ", environment.local_rank,
                ", sees ", devices,
                ". Start fewer processes a machine, build with JESSL_CUDA=ON, or take Backend::gloo");
#if defined(JESSL_CUDA)
    if (!all_have) return;
    const auto device = static_cast<c10::DeviceIndex>(environment.local_rank);
    c10::cuda::set_device(device);
    auto settings = c10d::ProcessGroupNCCL::Options::create();
    settings->timeout = timeout;
    const auto nccl =
        c10::make_intrusive<c10d::ProcessGroupNCCL>(store_, static_cast<int>(rank_), static_cast<int>(size_), settings);
    group_->setDefaultBackend(BackendType::NCCL);
    group_->setBackend(c10::DeviceType::CUDA, BackendType::NCCL, nccl);
#else
    (void)timeout;
#endif
  }

  /// The ranks that may use the same cores, this one among them.
  [[nodiscard]] std::int64_t count_sharing() {
    const auto own = torch::full(
        {1}, static_cast<std::int64_t>(std::hash<std::string>{}(jessl::detail::cores_in_words())), torch::kInt64);
    return (all_gather(own) == own).sum().item<std::int64_t>();
  }

  /// Whether it is c10d's or its carrier's, and not of what a backward pass computes.
  [[nodiscard]] static bool is_of_the_group(const std::exception& error) {
    if (dynamic_cast<const c10::DistError*>(&error) != nullptr) return true;
    const std::string text = error.what();
    for (const char* sign : {"onnection", "imed out", "gloo", "NCCL", "ocket"}) {
      if (text.find(sign) != std::string::npos) return true;
    }
    return false;
  }

  /// Calls body(); of what LibTorch throws in it because of other ranks, tells what happened to them.
  void guard(std::string_view what, const std::function<void()>& body) {
    try {
      body();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      if (!is_of_the_group(error)) throw;
      fail<DistributedError>("jessl::distributed::Group: rank ", rank_, " of ", size_, " could not ", what,
                             " (time limit ", timeout_, " s): ", board_->what_happened(),
                             "; LibTorch says: ", reason_of(error));
    }
  }

  std::int64_t rank_;
  std::int64_t size_;
  double timeout_;
  std::int64_t sharing_ = 1;
  c10::intrusive_ptr<c10d::Store> store_{};
  std::unique_ptr<Noticeboard> board_{};
  c10::intrusive_ptr<c10d::ProcessGroup> group_{};
};

}  // namespace jessl::distributed::detail
