#!/usr/bin/env bash
# Cuts the first COUNT images (a multiple of 256, below 65536) of each part of Fashion-MNIST into FOLDER/fashion-mnist, as plain
# IDX files: what an example needs to run as it is written, in a fraction of the time.
#
# Usage: small_fashion_mnist.sh COUNT FOLDER
set -euo pipefail
count=$1
folder=$2/fashion-mnist
source=/usr/share/datasets/fashion-mnist
mkdir -p "$folder"
high=$(printf '\\x%02x' $((count / 256)))

for part in train t10k; do
  # IDX: magic number, then the extents as big-endian 32-bit numbers: [count, 28, 28] and [count].
  { printf "\\x00\\x00\\x08\\x03\\x00\\x00$high\\x00\\x00\\x00\\x00\\x1c\\x00\\x00\\x00\\x1c"
    tail -c +17 <(zcat "$source/$part-images-idx3-ubyte.gz") | head -c $((count * 784)) || true; } > "$folder/$part-images-idx3-ubyte"
  { printf "\\x00\\x00\\x08\\x01\\x00\\x00$high\\x00"
    tail -c +9 <(zcat "$source/$part-labels-idx1-ubyte.gz") | head -c "$count" || true; } > "$folder/$part-labels-idx1-ubyte"
done
