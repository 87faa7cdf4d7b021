#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tar/*.tar by Python's tarfile and by GNU tar, in each format that they have, and tar.json: the samples that the
package webdataset finds in them, for tar_shards_test.cpp.

Needs webdataset (made with 0.2.86, Python 3.11.7) and GNU tar (1.34). The images are no images: only their bytes matter.
"""
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile
import tempfile

import webdataset

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "tar"

LONG = "a-folder-of-many-letters/" * 3  # with the name: more than the 100 bytes of a header, and parts of at most 155
# Name and content; a sample each, apart from what webdataset passes over. No key comes twice.
MEMBERS = [
    ("0001.jpg", b"first"), ("0001.cls", b"3"),
    ("./0002.cls", b"0\n"), ("./0002.txt", b"a caption"), ("./0002.PNG", b"second"),
    ("__index__", b"about the file"), ("__more__/0.jpg", b"about the file"),
    ("train/v1.2/0003.jpeg", b"x" * 700), ("train/v1.2/0003.seg.png", b"a map"), ("train/v1.2/0003.cls", b"12"),
    ("0004.jpg", b""), ("0004.cls", b" 1 "), ("readme", b"no suffix"), (".hidden.jpg", b"hidden"),
    (LONG + "a-name-of-its-own-which-is-long-too.jpg", b"long"), (LONG + "a-name-of-its-own-which-is-long-too.cls", b"7"),
]
LONGER = [("b" * 140 + "/" + "c" * 120 + ".jpg", b"longer"), ("b" * 140 + "/" + "c" * 120 + ".cls", b"5"),
          ("gr\u00fc\u00df/\u732b.jpg", b"umlauts"), ("gr\u00fc\u00df/\u732b.cls", b"2")]


def by_python(path, kind, members):
    with tarfile.open(path, "w", format=kind) as tar:
        folder = tarfile.TarInfo("train")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if kind == tarfile.PAX_FORMAT:
                info.mtime = 1.5  # a record of its own for every member
            tar.addfile(info, io.BytesIO(content))


def by_gnu(path, kind, members):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in members:
            file = pathlib.Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        (pathlib.Path(folder) / "link.txt").symlink_to("0001.jpg")
        names = [name for name, _ in members] + ["link.txt", "train"]
        options = ["--pax-option=delete=atime,delete=ctime"] if kind == "posix" else []
        subprocess.run(["tar", "--create", f"--file={path}", f"--format={kind}", "--no-recursion", "--owner=0", "--group=0",
                        "--mtime=@1.5", *options, *names], cwd=folder, check=True)


def samples(path):
    found = []
    stream = webdataset.tariterators.tarfile_samples([{"url": str(path)}])
    for sample in stream:
        image = [suffix for suffix in ("jpg", "jpeg", "png") if suffix in sample]
        if image:
            found.append({"key": sample["__key__"], "suffix": image[0], "label": int(sample["cls"]),
                          "sha256": hashlib.sha256(sample[image[0]]).hexdigest()})
    return found


FOLDER.mkdir(exist_ok=True)
by_python(FOLDER / "python-ustar.tar", tarfile.USTAR_FORMAT, MEMBERS)
by_python(FOLDER / "python-gnu.tar", tarfile.GNU_FORMAT, MEMBERS + LONGER)
by_python(FOLDER / "python-pax.tar", tarfile.PAX_FORMAT, MEMBERS + LONGER)
by_gnu(FOLDER / "gnu-ustar.tar", "ustar", MEMBERS)
by_gnu(FOLDER / "gnu-v7.tar", "v7", MEMBERS[:-2])
by_gnu(FOLDER / "gnu-gnu.tar", "gnu", MEMBERS + LONGER)
by_gnu(FOLDER / "gnu-posix.tar", "posix", MEMBERS + LONGER)
result = {path.name: samples(path) for path in sorted(FOLDER.glob("*.tar"))}
with open(HERE / "tar.json", "w") as out:
    out.write("{\n" + ",\n".join(f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(sample) for sample in found) + "\n]"
                                 for name, found in result.items()) + "\n}\n")
