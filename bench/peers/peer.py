# SPDX-License-Identifier: Apache-2.0
"""One peer at one line of the benchmark, in a process of its own; started by run.py, which explains the lines.

    python peer.py PEER LINE FOLDER THREADS WORKPLACE

Makes the first batch and prints {"ready": true}; then, for each line "SECONDS" that it reads, makes batches for so long and
prints {"rate": views a second}. Each peer does the whole line, but for what LESS says that it leaves out, which is in its
favour. Of a batch that a peer makes, nothing is read. In the lines of losses a batch is one step, forward and backward, in those of
evaluation the whole work, and rates count them; of a loss, after the first it prints {"extra_MB": number or null}, by how much the process grows in a later one.
"""
import ctypes
import itertools
import json
import os
import pathlib
import random
import re
import sys
import time

BATCH = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CROP, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
LESS = {
    ("lightly", "simclr"): "no solarize",
    ("lightly", "augment"): "no solarize",
    ("ffcv", "simclr"): "no hue, grey, blur, solarize",
    ("ffcv", "augment"): "no hue, grey, solarize",
}


class View:
    """What one view is made of: jitter is (brightness, contrast, saturation, hue), `blur` and `solarize` probabilities."""

    def __init__(self, size, scale=CROP, jitter=None, blur=0.0, solarize=0.0):
        self.size, self.scale, self.jitter, self.blur, self.solarize = size, scale, jitter, blur, solarize
        self.kernel = 2 * (size // 10 // 2) + 1


def views_of(line):
    """The views that a line makes of each image."""
    kind, _, rest = line.partition("/")
    jitter = (0.4, 0.4, 0.2, 0.1)
    if kind == "simclr":
        return 2 * [View(int(rest), jitter=jitter, blur=0.5, solarize=0.2)]
    if kind == "rrc":
        return [View(int(rest))]
    if kind == "multicrop":
        jitter = (0.8, 0.8, 0.8, 0.2)
        return 2 * [View(224, (0.14, 1.0), jitter, 0.5)] + 6 * [View(96, (0.05, 0.14), jitter, 0.5)]
    if kind == "augment":
        return 2 * [View(32, jitter=jitter, solarize=0.2)]
    if kind == "decode":
        return []  # the whole image, and nothing else
    raise SystemExit(f"peer.py: there is no line {line}")


def make_photographs(folder):
    """JPEGs of waves and noise, for where there are no photographs."""
    import numpy
    from PIL import Image
    draw = numpy.random.default_rng(0)
    for i in range(40):
        y, x = numpy.mgrid[0:375, 0:400 + 50 * (i % 3)]
        wave = 110 + 60 * numpy.sin(x / 31) * numpy.cos(y / 23 + i) + 30 * numpy.sin(x * y / 997)
        pixels = wave[..., None] + draw.integers(0, 16, (*wave.shape, 3))
        Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8)).save(f"{folder}/{i}.jpg", quality=90,
                                                                      subsampling=0 if i % 4 else 2)


def small_images():
    """4096 RGB images of 32x32."""
    import numpy
    return numpy.random.default_rng(0).integers(0, 256, (4096, 32, 32, 3), dtype=numpy.uint8)


# --- torchvision, lightly, kornia: a DataLoader with worker processes --------------------------------------------------


def batches_of_processes(get, count, batch, threads):
    """Batches of get(i), i = 0 ... count - 1 over and over. `batch` None: get(i) is a batch already."""
    import torch

    class Data(torch.utils.data.Dataset):
        def __getitem__(self, i):
            return get(i)

    class Endless(torch.utils.data.Sampler):
        def __iter__(self):
            return itertools.cycle(range(count))

    return iter(torch.utils.data.DataLoader(Data(), batch, sampler=Endless(), num_workers=threads))


def torchvision_view(view, from_pil):
    import torch
    from PIL import ImageFilter
    from torchvision.transforms import v2

    def pil_blur(image):
        return image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))

    steps = [v2.RandomResizedCrop(view.size, view.scale, RATIO, antialias=True), v2.RandomHorizontalFlip()]
    if view.jitter:
        steps += [v2.RandomApply([v2.ColorJitter(*view.jitter)], 0.8), v2.RandomGrayscale(0.2)]
    if view.blur:
        blur = v2.Lambda(pil_blur) if from_pil else v2.GaussianBlur(view.kernel, (0.1, 2.0))
        steps.append(v2.RandomApply([blur], view.blur))
    if view.solarize:
        steps.append(v2.RandomSolarize(128, view.solarize))
    if from_pil:
        steps.append(v2.PILToTensor())
    return v2.Compose(steps + [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])


def torchvision_tensors(line, files, threads):
    """torchvision's transforms v2 on tensors, images decoded by torchvision.io."""
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg, read_file
    views = [torchvision_view(view, from_pil=False) for view in views_of(line)]

    def whole(i):
        decode_jpeg(read_file(files[i]), ImageReadMode.RGB)
        return torch.empty(1)

    if line.startswith("decode"):
        return batches_of_processes(whole, len(files), BATCH, threads)
    if line.startswith("augment"):
        images = torch.from_numpy(small_images()).permute(0, 3, 1, 2).contiguous()
        return batches_of_processes(lambda i: [view(images[i]) for view in views], len(images), 256, threads)

    def get(i):
        image = decode_jpeg(read_file(files[i]), ImageReadMode.RGB)
        return [view(image) for view in views]

    return batches_of_processes(get, len(files), BATCH, threads)


def torchvision_pil(line, files, threads):
    """torchvision's transforms v2 on PIL's images, the blur by PIL, which is faster than torchvision's."""
    import torch
    from PIL import Image
    views = [torchvision_view(view, from_pil=True) for view in views_of(line)]

    def whole(i):
        Image.open(files[i]).convert("RGB")
        return torch.empty(1)

    if line.startswith("decode"):
        return batches_of_processes(whole, len(files), BATCH, threads)
    if line.startswith("augment"):
        images = [Image.fromarray(pixels) for pixels in small_images()]
        return batches_of_processes(lambda i: [view(images[i]) for view in views], len(images), 256, threads)

    def get(i):
        image = Image.open(files[i]).convert("RGB")
        return [view(image) for view in views]

    return batches_of_processes(get, len(files), BATCH, threads)


def lightly(line, files, threads):
    """lightly's own transforms on PIL's images."""
    from PIL import Image
    from lightly.transforms import SimCLRTransform, SwaVTransform
    if line.startswith("multicrop"):
        transform = SwaVTransform()
    else:
        view = views_of(line)[0]
        transform = SimCLRTransform(view.size, 0.8, 1.0, *view.jitter, gaussian_blur=view.blur)
    if line.startswith("augment"):
        images = [Image.fromarray(pixels) for pixels in small_images()]
        return batches_of_processes(lambda i: transform(images[i]), len(images), 256, threads)
    return batches_of_processes(lambda i: transform(Image.open(files[i]).convert("RGB")), len(files), BATCH, threads)


def kornia(line, files, threads):
    """kornia's transforms of whole batches, each image with its own draws, a batch a process."""
    import torch
    import kornia.augmentation as K
    images = torch.from_numpy(small_images()).permute(0, 3, 1, 2).contiguous()
    view = views_of(line)[0]
    pipeline = torch.nn.Sequential(
        K.RandomResizedCrop((view.size, view.size), view.scale, RATIO), K.RandomHorizontalFlip(),
        K.ColorJitter(*view.jitter, p=0.8), K.RandomGrayscale(p=0.2), K.RandomSolarize(0.0, 0.0, p=view.solarize),
        K.Normalize(torch.tensor(MEAN), torch.tensor(STD)))

    def get(i):
        batch = images[256 * i:256 * (i + 1)] / 255.0
        return [pipeline(batch), pipeline(batch)]

    return batches_of_processes(get, len(images) // 256, None, threads)


# --- DALI ---------------------------------------------------------------------------------------------------------------


def dali_batches(line, files, threads, regions):
    from nvidia.dali import fn, pipeline_def, types
    views = views_of(line)
    size = 256 if line.startswith("augment") else BATCH

    def around(strength):
        return fn.random.uniform(range=(1 - strength, 1 + strength))

    def colour(image, view):
        jittered = fn.random.coin_flip(probability=0.8)
        coloured = 1 - fn.random.coin_flip(probability=0.2)
        brightness, contrast, saturation, hue = view.jitter
        return fn.color_twist(
            image,
            brightness=1 + jittered * (around(brightness) - 1),
            contrast=1 + jittered * (around(contrast) - 1),
            saturation=coloured * (1 + jittered * (around(saturation) - 1)),
            hue=jittered * 360 * fn.random.uniform(range=(-hue, hue)))

    def finish(image, view):
        if view.jitter:
            image = colour(image, view)
        if view.blur:
            if fn.random.coin_flip(probability=view.blur, dtype=types.BOOL):
                image = fn.gaussian_blur(image, sigma=fn.random.uniform(range=(0.1, 2.0)))
        if view.solarize:
            if fn.random.coin_flip(probability=view.solarize, dtype=types.BOOL):
                image = fn.lookup_table(image, keys=list(range(256)), dtype=types.UINT8,
                                        values=[v if v < 128 else 255 - v for v in range(256)])
        return fn.crop_mirror_normalize(image, mirror=fn.random.coin_flip(), dtype=types.FLOAT, output_layout="CHW",
                                        mean=[255 * m for m in MEAN], std=[255 * s for s in STD])

    def cropped(image, view):
        return fn.random_resized_crop(image, size=(view.size, view.size), random_area=view.scale,
                                      random_aspect_ratio=RATIO)

    def cropped_by_decoder(jpeg, view):
        image = fn.decoders.image_random_crop(jpeg, random_area=view.scale, random_aspect_ratio=RATIO)
        return fn.resize(image, size=(view.size, view.size))

    @pipeline_def(batch_size=size, num_threads=threads, device_id=None, enable_conditionals=True)
    def pipeline():
        if line.startswith("augment"):
            images = small_images()
            parts = itertools.cycle(images[k:k + size] for k in range(0, len(images), size))
            image = fn.external_source(lambda: next(parts), layout="HWC", no_copy=True)
            return tuple(finish(cropped(image, view), view) for view in views)
        jpegs, _ = fn.readers.file(files=files)
        if regions:
            return tuple(finish(cropped_by_decoder(jpegs, view), view) for view in views)
        image = fn.decoders.image(jpegs)
        if not views:
            return (image,)
        return tuple(finish(cropped(image, view), view) for view in views)

    made = pipeline()
    made.build()
    while True:
        yield made.run()


def dali_whole(line, files, threads):
    """DALI on the CPU, an image decoded whole for all its views."""
    return dali_batches(line, files, threads, regions=False)


def dali_regions(line, files, threads):
    """DALI on the CPU, for each view the rows and columns under its crop decoded."""
    return dali_batches(line, files, threads, regions=True)


# --- SPDL ---------------------------------------------------------------------------------------------------------------


def spdl(line, files, threads):
    """SPDL: threads that decode and filter by FFmpeg, whose eq, hue and gblur stand for jitter, grey and blur."""
    import math
    import numpy
    import spdl.io
    import torch
    from spdl.pipeline import PipelineBuilder
    torch.set_num_threads(1)
    views = views_of(line)
    alone = spdl.io.decode_config(decoder_options={"threads": "1"})  # else FFmpeg starts threads for each image
    mean = torch.tensor(MEAN).mul(255).view(3, 1, 1)
    scale = torch.tensor(STD).mul(255).reciprocal().view(3, 1, 1)

    def box(view, width, height):
        for _ in range(10):
            area = width * height * random.uniform(*view.scale)
            ratio = math.exp(random.uniform(*map(math.log, RATIO)))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                return f"crop={w}:{h}:{random.randint(0, width - w)}:{random.randint(0, height - h)}"
        return f"crop={min(width, height)}:{min(width, height)}"

    def filters(view, width, height):
        steps = [box(view, width, height), f"scale={view.size}:{view.size}:flags=bilinear"]
        if random.random() < 0.5:
            steps.append("hflip")
        if view.jitter:
            brightness, contrast, saturation, hue = view.jitter
            if random.random() < 0.8:
                steps.append(f"eq=brightness={random.uniform(-brightness, brightness) / 2}"
                             f":contrast={random.uniform(1 - contrast, 1 + contrast)}"
                             f":saturation={random.uniform(1 - saturation, 1 + saturation)}")
                steps.append(f"hue=h={random.uniform(-360 * hue, 360 * hue)}")
            if random.random() < 0.2:
                steps.append("hue=s=0")
        if random.random() < view.blur:
            steps.append(f"gblur=sigma={random.uniform(0.1, 2.0)}")
        steps.append("format=rgb24")
        if random.random() < view.solarize:
            solarize = "'if(gte(val,128),255-val,val)'"
            steps.append(f"lutrgb=r={solarize}:g={solarize}:b={solarize}")
        return ",".join(steps)

    def make(path):
        packets = spdl.io.demux_image(path)
        if not views:
            return [spdl.io.decode_packets(packets, decode_config=alone)]
        frames = spdl.io.decode_packets(packets, filter_desc=None, decode_config=alone)
        width, height = frames.width, frames.height
        heads = "".join(f"[v{k}]" for k in range(len(views)))
        branches = ";".join(f"[v{k}]{filters(view, width, height)},buffersink@o{k}" for k, view in enumerate(views))
        graph = spdl.io.FilterGraph(f"buffer=video_size={width}x{height}:pix_fmt={frames.pix_fmt}:time_base=1/1:"
                                    f"pixel_aspect=1/1,split={len(views)}{heads};{branches}")
        graph.add_frames(frames)
        return [spdl.io.to_numpy(spdl.io.convert_frames(graph.get_frames(key=f"buffersink@o{k}")))[0]
                for k in range(len(views))]

    def collate(samples):
        result = []
        for pixels in zip(*samples) if views else []:  # of one view, [H, W, C] each
            batch = torch.from_numpy(numpy.stack(pixels)).permute(0, 3, 1, 2)
            result.append(batch.float().sub_(mean).mul_(scale).contiguous())
        return result

    made = (PipelineBuilder().add_source(itertools.cycle(files)).pipe(make, concurrency=threads).aggregate(BATCH)
            .pipe(collate).add_sink(2).build(num_threads=threads))
    with made.auto_stop():
        yield from made


# --- ffcv ---------------------------------------------------------------------------------------------------------------


class Indexed:
    """Photographs as ffcv's writer takes them."""

    def __init__(self, files):
        self.files = files

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        from PIL import Image
        return (Image.open(self.files[i]).convert("RGB"),)


class Small:
    def __init__(self):
        self.images = small_images()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return (self.images[i],)


def ffcv_write(path, data, mode, threads):
    from ffcv.fields import RGBImageField
    from ffcv.writer import DatasetWriter
    DatasetWriter(str(path), {"image": RGBImageField(write_mode=mode, jpeg_quality=90)},
                  num_workers=threads).from_indexed_dataset(data, chunksize=10)


def ffcv(line, files, threads):
    """ffcv with a .beton file of its own writer, JPEGs of quality 90; each view decodes the whole image."""
    import numpy
    from ffcv.fields.rgb_image import RandomResizedCropRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.pipeline import PipelineSpec
    from ffcv.transforms import (NormalizeImage, RandomBrightness, RandomContrast, RandomHorizontalFlip, RandomSaturation,
                                 ToTensor, ToTorchImage)
    small = line.startswith("augment")
    path = WORKPLACE / ("small.beton" if small else "ffcv.beton")
    if not path.exists():
        ffcv_write(path, Small() if small else Indexed(files), "raw" if small else "jpg", threads)

    def operations(view):
        steps = [RandomHorizontalFlip()]
        if view.jitter:
            steps += [RandomBrightness(view.jitter[0], 0.8), RandomContrast(view.jitter[1], 0.8),
                      RandomSaturation(view.jitter[2], 0.8)]
        normalise = NormalizeImage(255 * numpy.array(MEAN), 255 * numpy.array(STD), numpy.float32)
        return steps + [normalise, ToTensor(), ToTorchImage()]

    def decoder(view):
        return RandomResizedCropRGBImageDecoder((view.size, view.size), view.scale, RATIO)

    pipelines = {"image": None}
    for k, view in enumerate(views_of(line)):
        pipelines[f"view{k}"] = PipelineSpec("image", decoder(view), operations(view))
    indices = numpy.tile(numpy.arange(4096 if small else len(files)), BATCH)  # so long that its epochs' ends do not count
    loader = Loader(str(path), 256 if small else BATCH, threads, order=OrderOption.RANDOM, indices=indices,
                    pipelines=pipelines, batches_ahead=2)
    while True:
        yield from loader


def ffcv_writer(line, files, threads):
    """ffcv's writer: JPEGs decoded by PIL and made anew with quality 90. A "batch" is a whole file."""
    files = 4 * files
    while True:
        ffcv_write(WORKPLACE / "written.beton", Indexed(files), "jpg", threads)
        yield len(files)


# --- losses -------------------------------------------------------------------------------------------------------------


def steps(losses, line, threads):
    """Forward and backward of two views, over and over; `losses` by the name that the line has."""
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    _, name, size = line.split("/")
    views = [torch.randn(*map(int, size.split("x")), requires_grad=True) for _ in range(2)]
    while True:
        losses[name](*views).backward()
        for view in views:
            view.grad = None
        yield


def lightly_loss(line, files, threads):
    """lightly's modules with their own settings."""
    from lightly.loss import BarlowTwinsLoss, NTXentLoss, VICRegLoss
    return steps({"NTXent": NTXentLoss(), "VICReg": VICRegLoss(), "BarlowTwins": BarlowTwinsLoss()}, line, threads)


def compiled_loss(line, files, threads):
    """The formulas in plain PyTorch, under torch.compile. The squares off a diagonal are all without those on it, which is the
    shortest way."""
    import torch
    import torch.nn.functional as F

    def off_diagonal(matrix):
        return matrix.square().sum() - matrix.diagonal().square().sum()

    def nt_xent(z1, z2):
        z = F.normalize(torch.cat([z1, z2]))
        itself = torch.eye(len(z), dtype=torch.bool)
        return F.cross_entropy((z @ z.T / 0.5).masked_fill(itself, -torch.inf), torch.arange(len(z)).roll(len(z1)))

    def vicreg(z1, z2):
        total = 25 * F.mse_loss(z1, z2)
        for z in (z1, z2):
            centred = z - z.mean(0)
            covariance = centred.T @ centred / (len(z) - 1)
            total = total + 25 / 2 * F.relu(1 - (z.var(0) + 1e-4).sqrt()).mean() + off_diagonal(covariance) / z.shape[1]
        return total

    def barlow_twins(z1, z2):
        y1, y2 = (F.batch_norm(z, None, None, training=True) for z in (z1, z2))
        correlation = y1.T @ y2 / len(z1)
        return (1 - correlation.diagonal()).square().sum() + 0.0051 * off_diagonal(correlation)

    formulas = {"NTXent": nt_xent, "VICReg": vicreg, "BarlowTwins": barlow_twins}
    return steps({name: torch.compile(formula) for name, formula in formulas.items()}, line, threads)


# --- evaluation ---------------------------------------------------------------------------------------------------------


def make_features(folder, line):
    """Features as an encoder's, with a mean and deviations that decay, of classes that overlap: x.f32 and y.i64, and queries.f32
    for k-NN. The line's size is rows x columns, with the number of classes after it."""
    import numpy as np
    _, _, size, *classes = line.split("/")
    rows, columns = map(int, size.split("x"))
    classes = int(classes[0]) if classes else 1000
    rng = np.random.default_rng(0)
    scale = (np.arange(columns, dtype=np.float32) + 1) ** -0.4
    centres = 0.5 * rng.standard_normal((classes, columns), dtype=np.float32)

    def draw(count):
        labels = np.arange(count) % classes
        return 0.5 + scale * (centres[labels] + rng.standard_normal((count, columns), dtype=np.float32)), labels

    x, y = draw(rows)
    x.astype(np.float32).tofile(pathlib.Path(folder) / "x.f32")
    y.astype(np.int64).tofile(pathlib.Path(folder) / "y.i64")
    draw(10_000)[0].astype(np.float32).tofile(pathlib.Path(folder) / "queries.f32")


def features(line):
    import numpy as np
    folder = pathlib.Path(os.environ["JESSL_BENCH_FEATURES"])
    columns = int(line.split("/")[2].split("x")[1])
    x, queries = (np.fromfile(folder / name, np.float32).reshape(-1, columns) for name in ("x.f32", "queries.f32"))
    return x, np.fromfile(folder / "y.i64", np.int64), queries


def answers_of(work):
    """Does the work over and over; the first answer, a list of numbers, is kept for comparing."""
    import numpy as np
    folder = pathlib.Path(os.environ["JESSL_BENCH_FEATURES"])
    np.asarray(work(), np.float64).tofile(folder / f"{sys.argv[1]}.f64")
    while True:
        yield
        work()


def faiss_flat(line, files, threads):
    """An exact index, of rows scaled to length 1; the votes are counted by NumPy."""
    import faiss
    import numpy as np
    faiss.omp_set_num_threads(threads)
    x, y, queries = features(line)

    def work():
        bank, asked = x.copy(), queries.copy()
        faiss.normalize_L2(bank)
        faiss.normalize_L2(asked)
        index = faiss.IndexFlatIP(bank.shape[1])
        index.add(bank)
        _, rows = index.search(asked, 200)
        classes = int(y.max()) + 1
        places = y[rows] + classes * np.arange(len(rows))[:, None]
        return np.bincount(places.ravel(), minlength=classes * len(rows)).reshape(len(rows), classes).argmax(axis=1)

    return answers_of(work)


def scikit_learn(line, files, threads):
    """Its classifiers, by brute force and to the tolerance at which its objective has as many digits as jessl's."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from threadpoolctl import threadpool_limits
    threadpool_limits(threads)
    x, y, queries = features(line)
    name = line.split("/")[1]
    if name == "KNN":
        return answers_of(lambda: KNeighborsClassifier(200, metric="cosine", algorithm="brute").fit(x, y).predict(queries))
    if name == "KNN_euclidean":
        return answers_of(lambda: KNeighborsClassifier(200, algorithm="brute").fit(x, y).predict(queries))

    def objective():
        l2 = 1e-3
        model = LogisticRegression(C=1 / (len(x) * l2), tol=1e-5, max_iter=10_000).fit(x, y)
        logits = x.astype(np.float64) @ model.coef_.T.astype(np.float64) + model.intercept_
        logits -= logits.max(axis=1, keepdims=True)
        likelihood = logits[np.arange(len(y)), y] - np.log(np.exp(logits).sum(axis=1))
        return [-likelihood.mean() + 0.5 * l2 * np.square(model.coef_.astype(np.float64)).sum()]

    return answers_of(objective)


def singular_values(line, files, threads):
    """RankMe as it is written: NumPy's singular values of all features."""
    import numpy as np
    from threadpoolctl import threadpool_limits
    threadpool_limits(threads)
    x = features(line)[0]

    def work():
        values = np.linalg.svd(x, compute_uv=False)
        shares = values / values.sum() + 1e-7
        return [np.exp(-(shares * np.log(shares)).sum())]

    return answers_of(work)


def extra_megabytes(step):
    """By how much the process grows at most in a step; None where the kernel does not tell."""
    def kilobytes(field):
        return int(re.search(rf"{field}:\s+(\d+)", pathlib.Path("/proc/self/status").read_text()).group(1))

    for _ in range(2):
        step()
    ctypes.CDLL(None).malloc_trim(0)  # else the step finds what it needs in the pages that the last one left
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # the most of now on
    except OSError:
        return None
    before = kilobytes("VmRSS")
    step()
    return (kilobytes("VmHWM") - before) * 1024 / 1e6


PEERS = {"torchvision tensors": torchvision_tensors, "torchvision PIL": torchvision_pil, "lightly": lightly,
         "kornia": kornia, "DALI whole": dali_whole, "DALI regions": dali_regions, "SPDL": spdl, "ffcv": ffcv,
         "ffcv writer": ffcv_writer, "lightly's loss": lightly_loss, "PyTorch compiled": compiled_loss, "faiss": faiss_flat,
         "scikit-learn": scikit_learn, "NumPy": singular_values}
WORKPLACE = None


def main():
    global WORKPLACE
    name, line, folder, threads, place = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")  # what the libraries print must not get between
    os.dup2(2, 1)
    WORKPLACE = pathlib.Path(place)
    files = sorted(str(p) for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))

    def answer(**values):
        print(json.dumps(values), file=answers, flush=True)

    whole_file, is_loss = name == "ffcv writer", line.startswith("loss/")
    is_step = is_loss or line.startswith("eval/")
    images = 256 if line.startswith("augment") else BATCH
    views = 1 if whole_file or is_step else images * max(1, len(views_of(line)))
    batches = PEERS[name](line, files, int(threads))
    next(batches)
    answer(ready=True)
    if is_loss:
        answer(extra_MB=extra_megabytes(lambda: next(batches)))
    for seconds in map(float, sys.stdin):
        warm = time.perf_counter() + (0 if whole_file or line.startswith("eval/") else 0.2 * seconds)
        while time.perf_counter() < warm:  # also uses up what was made while others ran
            next(batches)
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            batch = next(batches)
            count += batch if whole_file else views
        answer(rate=count / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
