# SPDX-License-Identifier: Apache-2.0
"""conan create .

LibTorch is not a requirement: the program that uses jessl says where its own is (JESSL_TORCH_DIR). The small libraries
come from the system, as cmake/bootstrap.sh installs them, or with -o "jessl/*:dependencies=conan" from Conan.
"""
import os
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import load


class Jessl(ConanFile):
    name = "jessl"
    description = "Joint-embedding self-supervised learning for C++20, header-only"
    license = "Apache-2.0"
    topics = ("self-supervised-learning", "deep-learning", "computer-vision", "header-only")
    package_type = "header-library"
    settings = "os", "compiler", "build_type", "arch"
    options = {"dependencies": ["system", "conan"]}
    default_options = {"dependencies": "system"}
    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*.cmake", "include/*"
    no_copy_source = True

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, "include/jessl/core/version.hpp"))
        self.version = ".".join(re.findall(r"#define JESSL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))

    def requirements(self):
        if self.options.dependencies == "conan":
            self.requires("eigen/3.4.0")
            self.requires("boost/1.81.0", options={"header_only": True})
            self.requires("nlohmann_json/3.11.2")
            self.requires("libjpeg-turbo/2.1.5")
            self.requires("libpng/[>=1.6 <2]")
            self.requires("zlib/[>=1.2.11 <2]")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["JESSL_PACKAGE_ONLY"] = True
        toolchain.generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()

    def package_id(self):
        self.info.settings.clear()  # headers are the same everywhere

    def package_info(self):
        # find_package(jessl) reads the files that jessl installs, which also know how to find LibTorch.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = ["share/jessl"]
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
