// SPDX-License-Identifier: Apache-2.0
// Checkpoints: what goes in comes out, Python reads them, and a damaged file is an error that says so.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <jessl/io.hpp>

#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

io::Checkpoint example() {
  io::Checkpoint checkpoint;
  checkpoint.record = {{"steps_taken", 7}, {"name", "a \"quoted\" word"}, {"rate", 0.1}};
  checkpoint.groups["backbone"]["conv1.weight"] =
      torch::arange(24, torch::kFloat).view({2, 3, 2, 2}).contiguous(torch::MemoryFormat::ChannelsLast);
  checkpoint.groups["backbone"]["count"] = torch::tensor(std::int64_t{3});
  checkpoint.groups["optimizer"]["momentum/conv1.weight"] = torch::arange(6, torch::kBFloat16).view({3, 2});
  checkpoint.groups["empty"] = {};
  return checkpoint;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("Checkpoint: tensors, groups and record come back as they were", "[io][checkpoint]") {
  const fixtures::TemporaryFolder folder;
  const io::Checkpoint before = example();
  before.save(folder / "a.pt");
  const io::Checkpoint after = io::Checkpoint::load(folder / "a.pt");
  CHECK(after.record == before.record);
  REQUIRE(after.groups.size() == before.groups.size());
  for (const auto& [group, tensors] : before.groups) {
    REQUIRE(after.group(group).size() == tensors.size());
    for (const auto& [name, tensor] : tensors) {
      CHECK(after.group(group).at(name).scalar_type() == tensor.scalar_type());
      CHECK(torch::equal(after.group(group).at(name), tensor));
    }
  }
  CHECK_THROWS_AS(after.group("absent"), DataError);
  CHECK_THROWS_WITH(after.group("absent"), Contains("a.pt has no group \"absent\", only \"backbone\", \"empty\""));
  CHECK_THROWS_WITH(before.group("absent"), Contains("there is no group \"absent\""));
}

TEST_CASE("Checkpoint: a record that is not UTF-8 and an undefined tensor are ConfigErrors", "[io][checkpoint]") {
  const fixtures::TemporaryFolder folder;
  io::Checkpoint checkpoint;
  checkpoint.record = {{"out", "caf\xE9"}};
  CHECK_THROWS_AS(checkpoint.save(folder / "a.pt"), ConfigError);
  checkpoint.record = Json::object();
  checkpoint.groups["g"]["x"] = torch::Tensor();
  CHECK_THROWS_AS(checkpoint.save(folder / "a.pt"), ConfigError);
  CHECK_THROWS_WITH(checkpoint.save(folder / "a.pt"), Contains("g/x is an undefined tensor"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("Checkpoint: tensors that share memory and slices of a larger tensor come back with their own values",
          "[io][checkpoint]") {
  const fixtures::TemporaryFolder folder;
  io::Checkpoint checkpoint;
  const torch::Tensor whole = torch::arange(10, torch::kFloat);
  checkpoint.groups["g"]["front"] = whole.slice(0, 0, 4);
  checkpoint.groups["g"]["back"] = whole.slice(0, 4, 10, 2);
  checkpoint.save(folder / "a.pt");
  const StateDict read = io::Checkpoint::load(folder / "a.pt").group("g");
  CHECK(torch::equal(read.at("front"), torch::tensor({0.0F, 1.0F, 2.0F, 3.0F})));
  CHECK(torch::equal(read.at("back"), torch::tensor({4.0F, 6.0F, 8.0F})));
}

TEST_CASE("Checkpoint: a file cut anywhere or with a flipped byte in its tensors is a DataError", "[io][checkpoint]") {
  const fixtures::TemporaryFolder folder;
  example().save(folder / "good.pt");
  const std::string good = bytes_of(folder / "good.pt");
  for (std::size_t tenth = 0; tenth < 10; ++tenth) {
    std::ofstream(folder / "cut.pt", std::ios::binary | std::ios::trunc) << good.substr(0, good.size() * tenth / 10);
    CHECK_THROWS_AS(io::Checkpoint::load(folder / "cut.pt"), DataError);
  }
  const std::size_t tensor =
      good.find(std::string("\x00\x00\x80\x40\x00\x00\x00\x41", 8));  // 4.0F, 8.0F: neighbours in channels-last order
  REQUIRE(tensor != std::string::npos);
  std::string flipped = good;
  flipped[tensor + 2] = '\x01';
  std::ofstream(folder / "flipped.pt", std::ios::binary) << flipped;
  CHECK_THROWS_WITH(io::Checkpoint::load(folder / "flipped.pt"),
                    Contains("damaged") && Contains("flipped.pt") && Contains("backbone/conv1.weight"));
}

TEST_CASE("Checkpoint: absent files, folders, texts and newer formats are told apart", "[io][checkpoint]") {
  const fixtures::TemporaryFolder folder;
  CHECK_THROWS_WITH(io::Checkpoint::load(folder / "absent.pt"), Contains("cannot open"));
  CHECK_THROWS_AS(io::Checkpoint::load(folder.path()), DataError);
  std::ofstream(folder / "text.pt") << "not a checkpoint at all";
  CHECK_THROWS_WITH(io::Checkpoint::load(folder / "text.pt"), Contains("damaged or not a checkpoint"));
  // The format stands in the pickle as {'format': 1}; a later jessl would write a larger number there, with a valid sum.
  auto about = io::detail::empty_dictionary();
  about.insert("format", io::Checkpoint::format + 1);
  about.insert("version", std::string("9.8.7"));
  about.insert("record", std::string("{}"));
  about.insert("record_crc32", io::detail::checksum(std::string("{}")));
  auto root = io::detail::empty_dictionary();
  root.insert("jessl", about);
  {
    AtomicFile file(folder / "newer.pt");
    io::detail::write_archive(root, file);
    file.commit();
  }
  CHECK_THROWS_WITH(io::Checkpoint::load(folder / "newer.pt"), Contains("has format 2 (written by jessl 9.8.7)"));
  {
    AtomicFile file(folder / "other.pt");
    io::detail::write_archive(io::detail::empty_dictionary(), file);
    file.commit();
  }
  CHECK_THROWS_WITH(io::Checkpoint::load(folder / "other.pt"), Contains("not a checkpoint of jessl"));
}

TEST_CASE("Checkpoint: a record of a million brackets is refused and does not overflow the stack", "[io][checkpoint]") {
  const fixtures::TemporaryFolder folder;
  const std::string record(1'000'000, '[');
  auto about = io::detail::empty_dictionary();
  about.insert("format", io::Checkpoint::format);
  about.insert("version", std::string(jessl::version));
  about.insert("record", record);
  about.insert("record_crc32", io::detail::checksum(record));
  auto root = io::detail::empty_dictionary();
  root.insert("jessl", about);
  {
    AtomicFile file(folder / "deep.pt");
    io::detail::write_archive(root, file);
    file.commit();
  }
  CHECK_THROWS_AS(io::Checkpoint::load(folder / "deep.pt"), DataError);
  CHECK_THROWS_WITH(io::Checkpoint::load(folder / "deep.pt"),
                    Contains("a record that is nested deeper than 64 levels"));
}

TEST_CASE("Checkpoint: Python's torch.load reads it without trusting it", "[io][checkpoint]") {
  const char* chosen = std::getenv("JESSL_PYTHON");
  const std::string python = chosen != nullptr ? chosen : "python3";
  if (std::system((python + " -c 'import torch' > /dev/null 2>&1").c_str()) != 0) {
    WARN("skipped: " << python << " has no torch; name one that has in JESSL_PYTHON");
    return;
  }
  const fixtures::TemporaryFolder folder;
  example().save(folder / "a.pt");
  const std::string program =
      "import json, sys, torch; c = torch.load(sys.argv[1], weights_only=True); "
      "assert c['backbone']['conv1.weight'].tolist() == torch.arange(24.).view(2, 3, 2, 2).tolist(); "
      "assert c['optimizer']['momentum/conv1.weight'].dtype == torch.bfloat16; "
      "assert json.loads(c['jessl']['record'])['steps_taken'] == 7 and c['jessl']['format'] == 1";
  CHECK(std::system((python + " -c \"" + program + "\" " + folder / "a.pt").c_str()) == 0);
}
