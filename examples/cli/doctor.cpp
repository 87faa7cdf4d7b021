// SPDX-License-Identifier: Apache-2.0
// jessl doctor: whether this machine is ready for a run, and what to change.
#include "commands.hpp"
#include "run.hpp"

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/hardware_threads.hpp>
#include <jessl/core/version.hpp>
#include <jessl/io/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <jpeglib.h>
#include <png.h>
#include <unistd.h>
#include <zlib.h>

namespace cli {

namespace {

namespace fs = std::filesystem;

struct Doctor {
  std::vector<std::string> advice{};
  bool broken = false;

  template <class... Parts>
  void line(const char* about, const Parts&... parts) const {
    std::string name = about;
    name.resize(14, ' ');
    std::cout << name << jessl::concat(parts...) << '\n';
  }
  template <class... Parts>
  void advise(const Parts&... parts) {
    advice.push_back(jessl::concat(parts...));
  }
};

void versions(const Doctor& doctor, const Json& torch) {
  doctor.line("jessl", jessl::version);
  doctor.line("LibTorch", torch.at("version").get<std::string>());
  doctor.line("compiler", __VERSION__);
#ifdef LIBJPEG_TURBO_VERSION
#define JESSL_CLI_TEXT_OF(x) #x
#define JESSL_CLI_TEXT(x) JESSL_CLI_TEXT_OF(x)
  doctor.line("libjpeg", "turbo ", JESSL_CLI_TEXT(LIBJPEG_TURBO_VERSION));
#else
  doctor.line("libjpeg", JPEG_LIB_VERSION);
#endif
  doctor.line("libpng", png_get_libpng_ver(nullptr));
  doctor.line("zlib", zlibVersion());
}

void processor(Doctor& doctor, const Json& torch) {
  std::string sets;
#ifdef __x86_64__
  const auto note = [&](bool has, const char* name) {
    if (has) sets += (sets.empty() ? "" : ", ") + std::string(name);
  };
  note(__builtin_cpu_supports("avx2"), "AVX2");
  note(__builtin_cpu_supports("fma"), "FMA");
  note(__builtin_cpu_supports("avx512f"), "AVX-512");
  note(__builtin_cpu_supports("avx512bf16"), "AVX-512 BF16");
  if (!__builtin_cpu_supports("avx2"))
    doctor.advise("this processor has no AVX2: a run takes several times as long as on one with it");
#endif
  if (torch.at("tiles") == true) sets += ", AMX";
  doctor.line("instructions", sets.empty() ? "none that jessl asks for" : sets);
  const auto precision = torch.at("precision").get<std::string>();
  doctor.line("precision", "auto is ", precision, " on this processor");
  if (precision == "bfloat16")
    doctor.advise("--precision auto computes in bfloat16 here, which is faster than the default float32");

  const auto present = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  const std::int64_t allowed = jessl::hardware_threads();
  doctor.line("processors", present, ", of which this process may use ", allowed);
  const char* const threads = std::getenv("OMP_NUM_THREADS");
  if (threads != nullptr) doctor.line("OMP_NUM_THREADS", " is ", threads);
  double load = 0.0;
  std::ifstream("/proc/loadavg") >> load;
  if (load > static_cast<double>(present))
    doctor.advise("the load is ", load, " on ", present,
                  " processors: other programs slow a run down many times, because threads wait "
                  "for each other; take fewer by --threads, or wait");
}

void memory(Doctor& doctor) {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (double kilobytes = 0; file >> name >> kilobytes >> unit;) {
    if (name == "MemTotal:") doctor.line("memory", std::round(kilobytes / 1e5) / 10, " GB");
    if (name != "MemAvailable:") continue;
    doctor.line("memory free", std::round(kilobytes / 1e5) / 10, " GB");
    if (kilobytes < 2e6)
      doctor.advise("less than 2 GB of memory are free: take a smaller --batch-size, or --micro-batch");
  }
}

void gpu(Doctor& doctor, const Json& torch) {
  const auto gpus = torch.at("gpus").get<std::int64_t>();
  const bool has_device = fs::exists("/dev/nvidia0");
  doctor.line(
      "GPU", torch.at("jessl_cuda") == true ? jessl::concat("built for CUDA; ", gpus, " found") : "not built for CUDA");
  if (torch.at("jessl_cuda") == false && has_device)
    doctor.advise("there is a GPU that this build does not use: cmake/bootstrap.sh --cuda, then cmake --preset cuda");
  if (torch.at("jessl_cuda") == true && gpus == 0)
    doctor.advise("built for CUDA, and no GPU is found: does nvidia-smi list one, and is the driver new enough?");
}

/// Writes a file of 32 MB as checkpoints are written, and says how fast.
void disk(Doctor& doctor, const char* about, const fs::path& folder) {
  const fs::path file = folder / ("jessl_doctor_" + std::to_string(::getpid()));
  try {
    const std::string bytes(std::size_t{32} << 20U, 'x');
    const auto begin = std::chrono::steady_clock::now();
    jessl::write_file(file, bytes, "jessl doctor");
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::error_code ignored;
    fs::remove(file, ignored);
    const double free = static_cast<double>(fs::space(folder).available) / 1e9;
    doctor.line(about, folder.string(), ": writes ", std::round(33.6 / seconds), " MB/s, ", std::round(10 * free) / 10,
                " GB free");
    if (free < 2) doctor.advise(folder.string(), " has less than 2 GB free: checkpoints may find no room");
  } catch (const std::exception& error) {
    doctor.line(about, folder.string(), ": ", error.what());
    doctor.advise("nothing can be written to ", folder.string(),
                  "; choose another folder, for files of the system by TMPDIR");
    doctor.broken = true;
  }
}

void examine(const std::string& out) {
  Doctor doctor;
  const Json torch = describe_torch();
  versions(doctor, torch);
  processor(doctor, torch);
  memory(doctor);
  gpu(doctor, torch);
  disk(doctor, "temporary", fs::temp_directory_path());
  disk(doctor, "out", out);
  std::cout << '\n';
  for (const std::string& one : doctor.advice) std::cout << "- " << one << '\n';
  if (doctor.advice.empty()) std::cout << "Nothing to change.\n";
  JESSL_CHECK(!doctor.broken, jessl::IOError, "something is broken: see above");
}

}  // namespace

void add_doctor(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("doctor", "Says what this machine and this build have for a run, and what to change.");
  const auto out = std::make_shared<std::string>(".");
  command->add_option("--out", *out, "Folder where runs are to be left");
  command->footer("The exit code is 0 unless something is broken.\nExample:\n  jessl doctor --out /data/runs");
  command->callback([out] { examine(*out); });
}

}  // namespace cli
