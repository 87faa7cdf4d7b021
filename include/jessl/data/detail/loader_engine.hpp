// SPDX-License-Identifier: Apache-2.0
// The work behind a loader: the order of batches, the threads that fill them, and damaged images.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/core/views.hpp>
#include <jessl/data/batch.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/decode_plan.hpp>
#include <jessl/data/decode_region.hpp>
#include <jessl/data/detail/encode_view.hpp>
#include <jessl/data/detail/read_ahead.hpp>
#include <jessl/data/detail/ring.hpp>
#include <jessl/data/loader_options.hpp>
#include <jessl/data/peek.hpp>

namespace jessl::data::detail {

/// What a Loader and its epochs share: the threads, the ring, and where the epoch stands.
///
/// One mutex, the ring's, guards everything that changes; it is taken once a chunk of images and once a batch.
template <class D, class A>
class LoaderEngine {
 public:
  /// What the engine needs of an order.
  struct Arrangement {
    std::function<void(const D&, const DrawKey&, std::span<std::int64_t>)> arrange{};
    bool by_page = false;
  };

  LoaderEngine(D dataset, A maker, const LoaderOptions& options, Arrangement arrangement,
               std::pmr::memory_resource* memory)
      : dataset_(std::move(dataset)),
        maker_(std::move(maker)),
        options_(checked(options, dataset_.size())),
        arrangement_(std::move(arrangement)),
        ring_(std::make_shared<Ring>(options_.ahead + 1, batch_format(), memory)),
        order_(static_cast<std::size_t>(dataset_.size())),
        crew_(*this) {
    queue_.reserve(static_cast<std::size_t>(options_.ahead));
    if (options_.ahead == 0) pool_.emplace(options_.workers);
    try {
      workers_.resize(static_cast<std::size_t>(options_.workers));
      for (Worker& worker : workers_) worker.view.resize(largest_encoded());
      if (options_.ahead == 0) return;
      for (Worker& worker : workers_) crew_.threads.emplace_back([this, &worker] { serve(worker); });
    } catch (const std::exception& error) {
      fail<ConfigError>(who, ": workers is ", options_.workers, ", but the system gave only ", crew_.threads.size(),
                        " threads (", error.what(), "); ask for fewer");
    }
  }

  LoaderEngine(const LoaderEngine&) = delete;
  LoaderEngine& operator=(const LoaderEngine&) = delete;

  [[nodiscard]] const D& dataset() const { return dataset_; }
  [[nodiscard]] const A& maker() const { return maker_; }
  [[nodiscard]] const LoaderOptions& options() const { return options_; }
  [[nodiscard]] const std::vector<ViewShape>& shapes() const { return ring_->format().shapes; }

  [[nodiscard]] std::int64_t batches() const {
    const std::int64_t full = dataset_.size() / options_.batch_size;
    const bool has_rest = dataset_.size() % options_.batch_size != 0;
    return full + (has_rest && !options_.drop_last ? 1 : 0);
  }

  [[nodiscard]] std::int64_t corrupt() const {
    const std::lock_guard lock(corrupt_mutex_);
    return static_cast<std::int64_t>(corrupt_.size());
  }

  /// Ends the running epoch, if there is one, and begins another; returns the number by which the caller names it.
  std::uint64_t start(std::int64_t epoch, std::int64_t first_batch) {
    JESSL_CHECK(epoch >= 0 && epoch <= std::numeric_limits<std::uint32_t>::max(), ConfigError,
                "jessl::data::Loader: epoch is ", epoch, ", expected 0 to 2^32 - 1");
    JESSL_CHECK(first_batch >= 0 && first_batch <= batches(), ConfigError, "jessl::data::Loader: the first batch is ",
                first_batch, ", expected 0 to ", batches(), ", the number of batches of an epoch");
    const std::array<ViewShape, view_count> shapes = view_shapes(epoch);
    std::unique_lock lock(ring_->mutex);
    const std::uint64_t generation = ++generation_;  // before the wait, so that whoever waits in next() learns of it
    epoch_ = epoch;
    halt(lock);
    check_current(generation);
    arrangement_.arrange(dataset_,
                         {.seed = options_.seed, .epoch = static_cast<std::uint32_t>(epoch), .purpose = Purpose::order},
                         order_);
    if constexpr (PrefetchingDataset<D>) {
      if (arrangement_.by_page)
        read_ahead_.plan(dataset_, first_batch, batches(), [this](std::int64_t number) { return rows(number); });
    }
    shapes_ = shapes;
    to_begin_ = to_hand_out_ = first_batch;
    running_ = true;
    ring_->work.notify_all();
    return generation;
  }

  /// Ends an epoch, if it is still the running one. Waits until no thread works on it.
  void stop(std::uint64_t generation) {
    std::unique_lock lock(ring_->mutex);
    if (generation == generation_) halt(lock);
  }

  /// The epoch's next batch; nothing after its last.
  [[nodiscard]] std::optional<Batch> next(std::uint64_t generation) {
    std::unique_lock lock(ring_->mutex);
    check_current(generation);
    if (!running_ || to_hand_out_ == batches()) return std::nullopt;
    const std::int64_t number = to_hand_out_++;  // now, so that a second thread in here takes another one
    std::unique_ptr<Slot> slot = options_.ahead == 0 ? make_now(lock, number) : wait_for_front(lock, generation);
    // The lock was free meanwhile: another thread may have started another epoch, or met a failure in this one.
    if (slot && generation != generation_) ring_->give_back(std::move(slot));
    check_current(generation);
    if (!slot) return std::nullopt;
    if (slot->failure) {
      const std::exception_ptr failure = slot->failure;
      ring_->give_back(std::move(slot));
      halt(lock);
      std::rethrow_exception(failure);
    }
    return Batch(ring_, std::move(slot));
  }

 private:
  static constexpr std::string_view who = "jessl::data::Loader";
  static constexpr std::int64_t substitutes_tried = 256;
  static constexpr auto view_count = static_cast<std::size_t>(A::views);

  /// The working memory of one thread.
  struct Worker {
    std::vector<std::byte> storage{};
    Decoder decoder{};
    std::array<DecodePart, view_count> needed{};   // of each view
    std::array<DecodePart, view_count> decoded{};  // of each view: that which it is made from
    typename A::Scratch views{};
    std::vector<float> view{};  // one, before it is encoded
  };

  /// The threads that work ahead. Its destructor ends them, also when the engine's constructor fails half-way.
  struct Crew {
    explicit Crew(LoaderEngine& of) : engine(of) {}
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    ~Crew() {
      {
        const std::lock_guard lock(engine.ring_->mutex);
        engine.running_ = false;
        engine.closing_ = true;
      }
      engine.ring_->work.notify_all();
      for (std::thread& thread : threads) thread.join();
    }
    LoaderEngine& engine;
    std::vector<std::thread> threads{};
  };

  [[nodiscard]] static const LoaderOptions& checked(const LoaderOptions& options, std::int64_t size) {
    JESSL_CHECK(options.batch_size >= 1, ConfigError, who, ": batch_size is ", options.batch_size, ", expected >= 1");
    JESSL_CHECK(options.workers >= 1, ConfigError, who, ": workers is ", options.workers, ", expected >= 1");
    JESSL_CHECK(options.ahead >= 0, ConfigError, who, ": ahead is ", options.ahead, ", expected >= 0");
    JESSL_CHECK(options.max_corrupt_share >= 0 && options.max_corrupt_share <= 1, ConfigError, who,
                ": max_corrupt_share is ", options.max_corrupt_share, ", expected a share in [0, 1]");
    JESSL_CHECK(size >= 1, ConfigError, who, ": the data set has ", size, " images, expected at least 1");
    JESSL_CHECK(!options.drop_last || options.batch_size <= size, ConfigError, who, ": batch_size is ",
                options.batch_size, " and the data set has ", size,
                " images, so that with drop_last there is no batch at all; set batch_size to at most ", size,
                " or drop_last to false");
    options.partition.check(who, options.batch_size);
    return options;
  }

  [[nodiscard]] BatchFormat batch_format() const {
    BatchFormat format{.rows = options_.partition.most_rows(options_.batch_size, dataset_.size()),
                       .element = options_.element,
                       .layout = options_.layout};
    for (std::int64_t view = 0; view < std::int64_t{A::views}; ++view) {
      format.shapes.push_back(maker_.shape(view, dataset_.channels()));
      if constexpr (DescribingViewMaker<A>) format.parameters.push_back(maker_.parameters(view));
    }
    return format;
  }

  /// Whether the batch has a view as makers write it, so that it is made in its place.
  [[nodiscard]] bool is_made_in_place(const ViewShape& shape) const {
    return options_.element == Element::float32 && (options_.layout == Layout::channels_first || shape.channels == 1);
  }

  /// The most values of a view that isn't.
  [[nodiscard]] std::size_t largest_encoded() const {
    std::int64_t count = 0;
    for (const ViewShape& shape : shapes()) {
      if (!is_made_in_place(shape)) count = std::max(count, shape.count());
    }
    return static_cast<std::size_t>(count);
  }

  [[nodiscard]] std::array<ViewShape, view_count> view_shapes(std::int64_t epoch) const {
    std::array<ViewShape, view_count> shapes;
    for (std::size_t v = 0; v < view_count; ++v) {
      shapes[v] = shape_in_epoch(maker_, static_cast<std::int64_t>(v), dataset_.channels(), epoch);
      const ViewShape& largest = ring_->format().shapes[v];
      JESSL_CHECK(shapes[v].count() <= largest.count(), ShapeError, who, ": view ", v, " is ", shapes[v], " in epoch ",
                  epoch, ", expected no more values than ", largest, ", its largest shape, has");
    }
    return shapes;
  }

  /// Small, so that the threads finish together; large, so that handing out costs nothing beside images of
  /// microseconds.
  [[nodiscard]] std::int64_t chunk_size() const {
    return std::clamp<std::int64_t>(options_.batch_size / options_.partition.ranks / (4 * options_.workers), 1, 16);
  }

  // ---- The order of the work. The mutex is held.

  void check_current(std::uint64_t generation) const {
    JESSL_CHECK(generation == generation_, ConfigError, who, ": this epoch was left when epoch ", epoch_,
                " was started; a loader runs one epoch at a time");
  }

  /// Bytes of a view in a batch.
  [[nodiscard]] std::size_t view_size(const ViewShape& shape) const {
    return static_cast<std::size_t>(shape.count()) * size_of(options_.element);
  }

  /// This process's images of a batch of the running epoch.
  [[nodiscard]] std::span<const std::int64_t> rows(std::int64_t number) const {
    const auto [first, size] = options_.partition.rows(number, options_.batch_size, dataset_.size());
    return std::span(order_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(size));
  }

  void begin_batch(Slot& slot, std::int64_t number) const {
    const std::span<const std::int64_t> images = rows(number);
    const auto size = static_cast<std::int64_t>(images.size());
    slot.epoch = epoch_;
    slot.number = number;
    slot.indices.assign(images.begin(), images.end());
    slot.labels.assign(static_cast<std::size_t>(size), -1);
    for (std::size_t v = 0; v < slot.bytes.size(); ++v) {
      slot.shapes[v] = shapes_[v];
      slot.bytes[v] = slot.memory[v].first(static_cast<std::size_t>(size) * view_size(slot.shapes[v]));
      if (options_.element == Element::float32) slot.views[v] = values_of<float>(slot.bytes[v]);
    }
    for (std::size_t v = 0; v < slot.parameters.size(); ++v) {
      const std::size_t count = static_cast<std::size_t>(size) * ring_->format().parameters[v].size();
      slot.parameters[v] = values_of<float>(slot.parameter_memory[v].first(count * sizeof(float)));
    }
    // A share may be empty; it is handed out all the same, so that all ranks take as many steps.
    slot.chunks = slot.unfinished = std::max((size + chunk_size() - 1) / chunk_size(), std::int64_t{1});
    slot.next_chunk = 0;
  }

  /// A batch of which a chunk is still to be taken; the epoch's next one is begun if there is room for it.
  [[nodiscard]] Slot* open_batch() {
    if (!running_) return nullptr;
    for (const auto& slot : queue_) {
      if (slot->next_chunk < slot->chunks) return slot.get();
    }
    if (to_begin_ == batches() || static_cast<std::int64_t>(queue_.size()) == options_.ahead) return nullptr;
    std::unique_ptr<Slot> slot = ring_->take();
    if (!slot) return nullptr;
    begin_batch(*slot, to_begin_++);
    queue_.push_back(std::move(slot));
    ring_->work.notify_all();
    return queue_.back().get();
  }

  void serve(Worker& worker) {
    std::unique_lock lock(ring_->mutex);
    while (!closing_) {
      Slot* slot = open_batch();
      if (slot == nullptr) {
        ring_->work.wait(lock);
        continue;
      }
      const std::int64_t chunk = slot->next_chunk++;
      ++busy_;
      lock.unlock();
      fill(*slot, chunk, worker);
      lock.lock();
      --busy_;
      if (--slot->unfinished == 0 || !running_) ring_->progress.notify_all();
    }
  }

  /// The next batch that is ready; none when the epoch has ended meanwhile.
  [[nodiscard]] std::unique_ptr<Slot> wait_for_front(std::unique_lock<std::mutex>& lock, std::uint64_t generation) {
    const auto left = [&] { return generation != generation_ || !running_; };
    while (!left() && (queue_.empty() || queue_.front()->unfinished != 0)) {
      if (queue_.empty()) {  // at the start, or because another thread took what this one waited for
        ring_->provide();
        ring_->work.notify_all();
      }
      ring_->progress.wait(lock);
    }
    if (left()) return nullptr;
    std::unique_ptr<Slot> slot = std::move(queue_.front());
    queue_.erase(queue_.begin());
    ring_->work.notify_all();
    ring_->progress.notify_all();  // the front has changed for whoever else waits
    return slot;
  }

  [[nodiscard]] std::unique_ptr<Slot> make_now(std::unique_lock<std::mutex>& lock, std::int64_t number) {
    ring_->provide();
    std::unique_ptr<Slot> slot = ring_->take();
    begin_batch(*slot, number);
    lock.unlock();
    pool_->parallel_for(slot->chunks, [&](std::int64_t chunk, std::int64_t worker) {
      fill(*slot, chunk, workers_[static_cast<std::size_t>(worker)]);
    });
    lock.lock();
    return slot;
  }

  /// Leaves the running epoch: takes no further chunk, waits for those being worked on, takes the slots back.
  void halt(std::unique_lock<std::mutex>& lock) {
    running_ = false;
    ring_->progress.notify_all();
    ring_->progress.wait(lock, [this] { return busy_ == 0; });
    if (running_) return;  // another thread has left the epoch and started the next one meanwhile
    for (auto& slot : queue_) ring_->give_back(std::move(slot));
    queue_.clear();
  }

  // ---- The work itself. No lock is held; threads write to different places of a slot.

  void fill(Slot& slot, std::int64_t chunk, Worker& worker) {
    try {
      if constexpr (PrefetchingDataset<D>) {
        if (arrangement_.by_page && chunk == 0) read_ahead_.reach(dataset_, slot.number);
      }
      const auto size = static_cast<std::int64_t>(slot.indices.size());
      const std::int64_t end = std::min(size, (chunk + 1) * chunk_size());
      for (std::int64_t position = chunk * chunk_size(); position < end; ++position) make_views(slot, position, worker);
    } catch (...) {
      const std::lock_guard lock(ring_->mutex);
      if (slot.failure && slot.failed_chunk < chunk) return;  // the first by position, whichever thread was faster
      slot.failure = std::current_exception();
      slot.failed_chunk = chunk;
    }
  }

  /// The views of one image of a batch; where it is damaged, those of its substitute.
  void make_views(Slot& slot, std::int64_t position, Worker& worker) {
    const auto place = static_cast<std::size_t>(position);
    std::int64_t& index = slot.indices[place];
    if (!try_views(slot, place, worker)) {
      const std::int64_t damaged = index;
      // Not keyed on the epoch: the same image stands in for the damaged one all through a run.
      Draw draw(
          {.seed = options_.seed, .sample = static_cast<std::uint64_t>(damaged), .purpose = Purpose::substitution});
      bool made = false;
      for (std::int64_t attempt = 0; attempt < substitutes_tried && !made; ++attempt) {
        index = draw.below(dataset_.size());
        made = index != damaged && try_views(slot, place, worker);
      }
      JESSL_CHECK(made, DataError, who, ": image ", damaged, " (", dataset_.describe(damaged),
                  ") is damaged, and so is every other that was drawn in its place, the last one image ", index, " (",
                  dataset_.describe(index), ")");
    }
    slot.labels[place] = dataset_.label(index);
  }

  /// Makes the views of image slot.indices[place], decoding what they need and no more; whether the image is undamaged.
  [[nodiscard]] bool try_views(Slot& slot, std::size_t place, Worker& worker) {
    const std::int64_t index = slot.indices[place];
    const auto key = [&](std::size_t view) {
      return DrawKey{.seed = options_.seed,
                     .epoch = static_cast<std::uint32_t>(slot.epoch),
                     .sample = static_cast<std::uint64_t>(index),
                     .view = static_cast<std::uint8_t>(view)};
    };
    EncodedImage image;
    ImageHeader header;
    const auto read = [&] {
      image = dataset_.read(index, worker.storage);
      header = peek(image);
    };
    if (!undamaged(index, read)) return false;
    for (std::size_t view = 0; view < view_count; ++view) {
      const Region region = maker_.region({header.height, header.width}, key(view));
      JESSL_CHECK(region.height >= 1 && region.width >= 1 && header.region().contains(region), ShapeError, who,
                  ": region() of the view maker gives ", region.height, " rows from ", region.top, " and ",
                  region.width, " columns from ", region.left, " for view ", view, " of image ", index, " (",
                  dataset_.describe(index), "), expected one pixel or more inside its ", header.height, " rows and ",
                  header.width, " columns");
      worker.needed[view] = {region, shrink(header, key(view))};
    }
    plan_views(header, worker.needed, worker.decoded);

    const auto first_of_its_part = [&](std::size_t view) {
      return std::find(worker.decoded.begin(), worker.decoded.end(), worker.decoded[view]) ==
             worker.decoded.begin() + static_cast<std::ptrdiff_t>(view);
    };
    for (std::size_t first = 0; first < view_count; ++first) {
      if (!first_of_its_part(first)) continue;
      RegionView part;
      const auto decode = [&] {
        const auto& [region, shrink] = worker.decoded[first];
        part = decode_region(image, header, region, dataset_.channels(), worker.decoder, shrink);
      };
      if (!undamaged(index, decode)) return false;
      for (std::size_t view = first; view < view_count; ++view) {
        if (worker.decoded[view] != worker.decoded[first]) continue;
        const ViewShape& shape = slot.shapes[view];
        const std::span<std::byte> bytes = slot.bytes[view].subspan(place * view_size(shape), view_size(shape));
        if (is_made_in_place(shape)) {
          maker_.make(part, key(view), worker.views, values_of<float>(bytes));
        } else {
          const std::span<float> made = std::span(worker.view).first(static_cast<std::size_t>(shape.count()));
          maker_.make(part, key(view), worker.views, made);
          encode_view(made, shape, options_.element, options_.layout, bytes.data());
        }
        if constexpr (DescribingViewMaker<A>) {
          const std::size_t columns = ring_->format().parameters[view].size();
          maker_.describe({header.height, header.width}, key(view),
                          slot.parameters[view].subspan(place * columns, columns));
        }
      }
    }
    return true;
  }

  /// By how much the part of an image that a view is made from may be shrunk.
  [[nodiscard]] std::int64_t shrink(const ImageHeader& header, const DrawKey& key) const {
    if (options_.decoding == Decoding::exact || header.format != ImageFormat::jpg) return 1;
    const std::int64_t shrink = shrink_of(maker_, {header.height, header.width}, key);
    JESSL_CHECK(shrink == 1 || shrink == 2 || shrink == 4 || shrink == 8, ShapeError, who,
                ": shrink() of the view maker gives ", shrink, " for view ", int{key.view}, ", expected 1, 2, 4 or 8");
    return shrink;
  }

  /// Does a step of reading image `index`; whether the image let it. What view makers throw is another matter.
  template <class Step>
  [[nodiscard]] bool undamaged(std::int64_t index, const Step& step) {
    try {
      step();
      return true;
    } catch (const DataError& error) {
      report_damage(index, error.what());
      return false;
    }
  }

  void report_damage(std::int64_t index, std::string_view reason) {
    std::int64_t damaged = 0;
    bool is_new = false;
    {
      const std::lock_guard lock(corrupt_mutex_);
      is_new = corrupt_.insert(index).second;
      damaged = static_cast<std::int64_t>(corrupt_.size());
    }
    JESSL_CHECK(options_.on_corrupt == OnCorrupt::substitute, DataError, who, ": image ", index, " (",
                dataset_.describe(index), ") is damaged: ", reason,
                ". Repair or remove it, or set on_corrupt to substitute");
    if (is_new)
      warn(who, ": image ", index, " (", dataset_.describe(index), ") is damaged, another takes its place: ", reason);
    JESSL_CHECK(static_cast<double>(damaged) <= options_.max_corrupt_share * static_cast<double>(dataset_.size()),
                DataError, who, ": ", damaged, " of ", dataset_.size(),
                " images are damaged so far, more than the share of ", options_.max_corrupt_share,
                " that max_corrupt_share allows; the last one is image ", index, " (", dataset_.describe(index),
                "): ", reason);
  }

  const D dataset_;
  const A maker_;
  const LoaderOptions options_;
  const Arrangement arrangement_;
  const std::shared_ptr<Ring> ring_;

  std::vector<std::int64_t> order_;  // of the running epoch
  std::int64_t epoch_ = 0;
  std::uint64_t generation_ = 0;                // counts the epochs that were started
  std::array<ViewShape, view_count> shapes_{};  // of the views in the running epoch
  bool running_ = false;
  bool closing_ = false;
  std::int64_t to_begin_ = 0;                 // the next batch to work on
  std::int64_t to_hand_out_ = 0;              // the next batch to hand out
  std::int64_t busy_ = 0;                     // threads that work on a chunk
  std::vector<std::unique_ptr<Slot>> queue_;  // batches begun and not handed out, in order

  ReadAhead read_ahead_;  // of the running epoch

  mutable std::mutex corrupt_mutex_;
  std::set<std::int64_t> corrupt_;

  std::vector<Worker> workers_;
  std::optional<ThreadPool> pool_;  // where nothing is made ahead
  Crew crew_;                       // where it is; last, so that its threads end before anything else does
};

}  // namespace jessl::data::detail
