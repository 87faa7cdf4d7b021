// SPDX-License-Identifier: Apache-2.0
// A program of another project that uses the plain part of jessl, and through it each library that jessl::base brings.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

#include <jessl/augment/random_grayscale.hpp>
#include <jessl/core/version.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/idx.hpp>
#include <jessl/eval/knn.hpp>

#if __has_include(<torch/torch.h>)
#error "jessl::base must not bring LibTorch"
#endif

namespace {

constexpr std::int64_t side = 16;

jessl::EncodedImage stored(jessl::ImageFormat format, std::span<const std::uint8_t> bytes) {
  return {.format = format, .bytes = std::as_bytes(bytes)};
}

/// A grey image of one value through libpng and back.
std::int64_t by_png(const std::vector<std::uint8_t>& pixels) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = header.height = side;
  header.format = PNG_FORMAT_GRAY;
  std::array<std::uint8_t, 4096> bytes{};
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&header, bytes.data(), &size, 0, pixels.data(), 0, nullptr) == 0) return -1;
  return jessl::data::decode(stored(jessl::ImageFormat::png, std::span(bytes).first(size))).pixels.back();
}

/// The same through libjpeg, which is exact where all pixels are equal.
std::int64_t by_jpeg(std::vector<std::uint8_t> pixels) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = info.image_height = side;
  info.input_components = 1;
  info.in_color_space = JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = pixels.data() + info.next_scanline * side;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  const jessl::Image image = jessl::data::decode(stored(jessl::ImageFormat::jpg, {memory, size}));
  jpeg_destroy_compress(&info);
  std::free(memory);
  return image.pixels.back();
}

/// The pixels as an IDX file that zlib has packed.
std::int64_t by_zlib(const std::vector<std::uint8_t>& pixels) {
  const std::string path = "jessl-package-test.gz";  // in the working folder, which no other test shares
  const std::array<std::uint8_t, 16> head{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, side, 0, 0, 0, side};
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, head.data(), static_cast<unsigned>(head.size()));
  gzwrite(file, pixels.data(), static_cast<unsigned>(pixels.size()));
  gzclose(file);
  const jessl::data::IDX data(path);
  std::filesystem::remove(path);
  std::vector<std::byte> storage;
  return std::to_integer<std::int64_t>(data.read(0, storage).bytes.back());
}

/// Eigen: the class of a training row is its own.
std::int64_t by_knn() {
  const jessl::RowMatrix x = jessl::RowMatrix::Identity(3, 3);
  return jessl::eval::KNN{.k = 1}.fit(x, std::vector<std::int64_t>{5, 6, 7}).predict(x)[2];
}

}  // namespace

int main() {
  const std::vector<std::uint8_t> pixels(side * side, 77);
  // Hana and nlohmann/json.
  const std::string options = jessl::to_json(jessl::augment::RandomGrayscale{.p = 0.25}).dump();
  const bool right = by_png(pixels) == 77 && by_jpeg(pixels) == 77 && by_zlib(pixels) == 77 && by_knn() == 7 &&
                     options == R"({"name":"RandomGrayscale","p":0.25})";
  std::printf("jessl %s, plain: %s\n", std::string(jessl::version).c_str(), right ? "all works" : options.c_str());
  return right ? 0 : 1;
}
