#!/usr/bin/env bash
# Prepares a Debian 12 machine for building jessl. Installs what is missing and only that, so it may be run again and
# again; when nothing is missing it needs neither root nor a network and takes no time.
#
#   cmake/bootstrap.sh            Debian packages, LibTorch in .deps/libtorch, and umappp in .deps/umappp
#   cmake/bootstrap.sh --cuda     and the NVIDIA libraries with which LibTorch runs on a GPU
#   JESSL_TORCH_DIR=DIR cmake/bootstrap.sh    use the LibTorch at DIR (it has include/torch and lib/libtorch_cpu.so)
#   JESSL_UMAPPP_DIR=DIR cmake/bootstrap.sh   use the umappp at DIR (it has umappp/umappp.hpp)
#
# LibTorch is taken out of PyPI's wheels pinned by hash in cmake/libtorch*.txt, umappp out of the source package in
# cmake/umappp.txt; Python only downloads them. They lie in a cache folder (${XDG_CACHE_HOME:-~/.cache}/jessl) that all
# clones share; .deps/libtorch and .deps/umappp are links to it. umappp is for maps by UMAP alone: everything else is
# built where it can't be had.
# Afterwards `. .deps/env.sh` gives any shell what `cmake --preset release` needs.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$top/.deps
torch_release=2.11

say() { printf 'bootstrap: %s\n' "$*"; }
die() { printf 'bootstrap: error: %s\n' "$*" >&2; exit 1; }

cuda=no
for argument; do
  case $argument in
    --cuda) cuda=yes ;;
    -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit ;;
    *) die "unknown argument '$argument'; there is --cuda" ;;
  esac
done

# --- Debian packages ------------------------------------------------------------------------------------------------

# install_packages PACKAGE...: those of them that are not installed.
install_packages() {
  local missing=() package root=()
  for package; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  if ((EUID)); then
    command -v sudo >/dev/null || die "these Debian packages are missing, and there is no sudo; as root run:
  apt-get update && apt-get install -y ${missing[*]}"
    root=(sudo)
  fi
  say "installing Debian packages: ${missing[*]}"
  # Never remove anything to make room: a machine may have another Boost that something else needs.
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq --no-install-recommends --no-remove)
  "${apt[@]}" update || say "apt-get update failed; going on with the package lists that are there"
  "${apt[@]}" --assume-no install "${missing[@]}" -q=1 2>/dev/null | grep '^Need to get' || true
  "${apt[@]}" -y -o Dpkg::Use-Pty=0 install "${missing[@]}" >/dev/null ||
    die "apt-get could not install them (see above); as root try:
  apt-get update && apt-get install ${missing[*]}"
}

# A tool is missing only if it is not in PATH, whoever installed it.
packages=(libeigen3-dev libboost1.81-dev nlohmann-json3-dev libjpeg62-turbo-dev libpng-dev zlib1g-dev
  catch2 libbenchmark-dev libcli11-dev libtomlplusplus-dev libjs-chart.js dataset-fashion-mnist)
for tool in g++:g++ cmake:cmake ninja:ninja-build python3:python3; do
  command -v "${tool%:*}" >/dev/null || packages+=("${tool#*:}")
done

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
  install_packages "${packages[@]}"
else
  say "no apt-get here: please install what Debian calls ${packages[*]}"
fi

# check_release TOOL NEEDED FOUND REMEDY: the TOOL that PATH finds, whoever installed it, must be new enough.
check_release() {
  local tool=$1 needed=$2 found=$3 remedy=$4
  [[ $(printf '%s\n' "$needed" "$found" | sort -V | head -1) == "$needed" ]] ||
    die "$(command -v "$tool") is $tool ${found:-of an unknown release}; jessl needs $needed or newer. Put a newer one first in PATH,
  or install one, as root: $remedy"
}

check_release cmake 3.25 "$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')" \
  "apt-get install cmake (Debian 12 has 3.25); as anybody: python3 -m pip install cmake"
[[ -n ${CXX:-} ]] || check_release g++ 12 "$(g++ -dumpfullversion -dumpversion 2>/dev/null)" \
  "apt-get install g++-12; then: export CXX=g++-12"

# --- Downloads: a folder in the cache for each set of pins --------------------------------------------------------

# key NAME PINS...: what the cached tree is called, new whenever a pin changes. Raise the number when other files are unpacked.
key() { echo "$1-$(sed '/^#/d' "${@:2}" <(echo unpacked 1) | sha256sum | cut -c1-12)"; }

# find_python: sets $python to one that has pip.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -m pip --version >/dev/null 2>&1; then python=$candidate; return; fi
  done
  command -v apt-get >/dev/null || die "python3 with pip is missing; it downloads what Debian does not have"
  install_packages python3-pip ca-certificates
  python=/usr/bin/python3
}

# download PINS DIR OPTION...: what the file PINS names, into DIR; pip checks the hashes.
download() {
  local pins=$1 into=$2
  say "downloading $(sed -n 's/^# Download: //p' "$pins") ($(grep -o '^[^# ]*==[^ ]*' "$pins" | paste -sd' '))"
  "$python" -m pip --disable-pip-version-check download --dest "$into" --no-deps --require-hashes --requirement "$pins" "${@:3}"
}

# cached NAME WHAT FETCH PINS [BASE]: makes $cache/NAME unless it is there: the tree BASE, if any, and what FETCH PINS
# DIR puts into DIR. Everything happens in a folder of its own that is renamed at the end, so what is there is whole; the
# lock lets a second clone wait for the first one's download.
cached() {
  local name=$1 what=$2 fetch=$3 pins=$4 base=${5:-} scratch
  [[ -d $cache/$name ]] && { say "$what is in the cache: $cache/$name"; return; }
  mkdir -p "$cache" && [[ -w $cache ]] || die "cannot write to the cache folder $cache; set XDG_CACHE_HOME to one that you own"
  find_python
  exec 9>"$cache/.lock"
  flock 9
  if [[ ! -d $cache/$name ]]; then
    rm -rf "$cache"/.unpacking.*  # left by a run that was killed
    scratch=$(mktemp -d "$cache/.unpacking.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    chmod 755 "$scratch"
    [[ -z $base ]] || cp -al "$cache/$base/." "$scratch"  # hard links: no copy
    "$fetch" "$pins" "$scratch"
    mv -T "$scratch" "$cache/$name"
    trap - EXIT
  fi
  exec 9>&-
  say "$what is in $cache/$name ($(du -sh "$cache/$name" | cut -f1))"
}

# linked LINK DIR: the link LINK leads to DIR; it is left alone where it does.
linked() { [[ $(readlink "$1" || true) == "$2" ]] || ln -sfn "$2" "$1"; }

cache=${XDG_CACHE_HOME:-${HOME:-$deps}/.cache}/jessl
mkdir -p "$deps"

# --- LibTorch -------------------------------------------------------------------------------------------------------

# check_libtorch DIR: prints what is wrong with the LibTorch at DIR, if anything.
check_libtorch() {
  local header=$1/include/torch/headeronly/version.h release
  [[ -e $header && -e $1/lib/libtorch_cpu.so && -e $1/lib/libc10.so ]] ||
    { echo "$1 has no include/torch/headeronly/version.h, lib/libtorch_cpu.so or lib/libc10.so"; return; }
  release=$(sed -n 's/^#define TORCH_VERSION_\(MAJOR\|MINOR\) //p' "$header" | paste -sd.)
  [[ $release == "$torch_release" ]] || { echo "$1 is LibTorch $release; jessl needs $torch_release"; return; }
  local unresolved
  unresolved=$(ldd "$1/lib/libtorch_cpu.so" | sed -n 's/^\s*\(.*\) => not found$/\1/p' | paste -sd' ')
  [[ -z $unresolved ]] || echo "$1/lib/libtorch_cpu.so does not find $unresolved (pip install torch brings them)"
}

# fetch_libtorch PINS DIR: downloads the wheels that the file PINS names, and unpacks into DIR what a C++ program needs of
# them: headers and libraries, about a fifth of the files.
fetch_libtorch() {
  local pins=$1 into=$2 platforms=() glibc
  [[ $(uname -sm) == "Linux x86_64" ]] ||
    die "there are pinned wheels for Linux on x86_64 only; set JESSL_TORCH_DIR to a LibTorch $torch_release for $(uname -sm)"
  # The libraries do not depend on Python's version; the wheel's name has to have one.
  for glibc in 17 18 24 25 26 27 28; do platforms+=(--platform "manylinux_2_${glibc}_x86_64"); done
  download "$pins" "$into/wheels" --only-binary :all: --python-version 3.11 --implementation cp --platform manylinux2014_x86_64 \
    "${platforms[@]}" ||
    die "pip could not download $(basename "$pins") (see above). Without a network, copy ${cache} from another
  machine, or set JESSL_TORCH_DIR to a LibTorch $torch_release that is already here"

  say "unpacking"
  "$python" - "$into" <<'PYTHON'
import glob, re, sys, zipfile
wanted = re.compile(r"torch/include/|torch/lib/.*\.so|nvidia/\w+/(include/|lib/.*\.so)|.*\.dist-info/licenses/LICENSE$")
unwanted = re.compile(r"torch/lib/(libtorch_python|libshm)|nvidia/cu13/include/|.*/lib\w*(nvperf|pcsampling|checkpoint)")
for wheel in glob.glob(sys.argv[1] + "/wheels/*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if wanted.match(n) and not unwanted.match(n)]
        archive.extractall(sys.argv[1], names)
PYTHON
  rm -rf "$into/wheels"
}

chosen=$(readlink "$deps/libtorch" || true)
if [[ -n ${JESSL_TORCH_DIR:-} && ! $JESSL_TORCH_DIR -ef $deps/libtorch ]]; then
  torch=$(cd "$JESSL_TORCH_DIR" 2>/dev/null && pwd) || die "JESSL_TORCH_DIR=$JESSL_TORCH_DIR: no such folder"
elif [[ -d $chosen && $chosen != "$cache"/* ]]; then
  torch=$chosen  # an earlier JESSL_TORCH_DIR; delete .deps to forget it
else
  pins=$top/cmake/libtorch.txt pins_cuda=$top/cmake/libtorch-cuda.txt
  name=$(key "libtorch-$torch_release" "$pins")
  name_cuda=$(key "libtorch-$torch_release" "$pins" "$pins_cuda")-cuda
  if [[ $cuda == yes && ! -d $cache/$name_cuda ]]; then
    cached "$name" LibTorch fetch_libtorch "$pins"
    cached "$name_cuda" LibTorch fetch_libtorch "$pins_cuda" "$name"
  elif [[ $cuda == no && ! ($chosen == "$cache/$name_cuda/torch" && -d $chosen) ]]; then
    cached "$name" LibTorch fetch_libtorch "$pins"
    name_cuda=$name
  fi
  torch=$cache/$name_cuda/torch  # the one with CUDA serves without, too
fi
problem=$(check_libtorch "$torch")
[[ -z $problem ]] || die "$problem"
linked "$deps/libtorch" "$torch"

# --- umappp ---------------------------------------------------------------------------------------------------------

# fetch_umappp PINS DIR: downloads the source package that the file PINS names, and unpacks into DIR umappp's headers,
# those that they include, and their licences. pip asks a source package for its name before it hands it out, by the build
# system that the package names, which it would download and run; here its name is answered instead.
fetch_umappp() {
  local pins=$1 into=$2
  mkdir -p "$into/answer/setuptools"
  touch "$into/answer/setuptools/__init__.py"
  cat >"$into/answer/setuptools/build_meta.py" <<'PYTHON'
import pathlib, re
def prepare_metadata_for_build_wheel(folder, settings=None):
    told = pathlib.Path("PKG-INFO").read_text()
    name, version = (re.search(rf"^{field}: (.*)$", told, re.M)[1] for field in ("Name", "Version"))
    made = pathlib.Path(folder, f"{name}-{version}.dist-info")
    made.mkdir()
    (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return made.name
PYTHON
  PYTHONPATH=$into/answer download "$pins" "$into/source" --no-binary :all: --no-build-isolation --retries 1
  "$python" - "$into" <<'PYTHON'
import glob, pathlib, re, sys, tarfile
into = pathlib.Path(sys.argv[1])
wanted = re.compile(r"[^/]+/src/assorthead/(?:include/)?((?:licenses/)?(?:umappp|irlba|aarand|knncolle|kmeans|subpar)/[\w/.]+)$")
with tarfile.open(*glob.glob(f"{into}/source/*.tar.gz")) as archive:
    for member in archive:
        found = wanted.match(member.name)
        if found and member.isfile():
            path = into / found[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.extractfile(member).read())
PYTHON
  rm -rf "$into/answer" "$into/source"
}

chosen=$(readlink "$deps/umappp" || true)
umappp=''
if [[ -n ${JESSL_UMAPPP_DIR:-} && ! $JESSL_UMAPPP_DIR -ef $deps/umappp ]]; then
  umappp=$(cd "$JESSL_UMAPPP_DIR" 2>/dev/null && pwd) && [[ -e $umappp/umappp/umappp.hpp ]] ||
    die "JESSL_UMAPPP_DIR=$JESSL_UMAPPP_DIR has no umappp/umappp.hpp"
elif [[ -d $chosen && $chosen != "$cache"/* ]]; then
  umappp=$chosen  # an earlier JESSL_UMAPPP_DIR
else
  pins=$top/cmake/umappp.txt
  name=$(key umappp "$pins")
  if [[ $chosen != "$cache/$name" || ! -d $chosen ]]; then
    set +e  # in a condition, set -e would not hold for what is called
    (set -e; cached "$name" umappp fetch_umappp "$pins")
    set -e
  fi
  [[ ! -d $cache/$name ]] || umappp=$cache/$name
fi
if [[ -n $umappp ]]; then
  linked "$deps/umappp" "$umappp"
else
  say "there is no umappp (see above): eval::UMAP is left out, everything else is built"
fi

cat >"$deps/env.sh" <<ENV
# Written by cmake/bootstrap.sh; read it with: . .deps/env.sh
export JESSL_TORCH_DIR='$deps/libtorch'
command -v nvcc >/dev/null || PATH=\$PATH:\${CUDA_PATH:-/usr/local/cuda}/bin
ENV
say "ready; LibTorch $torch_release at $torch"
