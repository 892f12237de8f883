"""Makes the test pictures and what Pillow makes of them.

Recorded with Pillow 13.0.0 and numpy 1.26:

    python record.py

Each `NAME.rgb.png` beside a picture `NAME` is what it shows:
decoded, turned as EXIF says, on white, in RGB. Each `scene-SIZE.png` is the
scene, cropped at the centre to 0.875 of the shorter side as TensorFlow's
EfficientNet does and resized with Pillow's bicubic filter.
"""

import pathlib

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent


def scene(width: int, height: int) -> Image.Image:
    """Smooth and sharp parts by a formula in whole numbers."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [
        x * 255 // width,
        (y * 255 // height + x) % 256,
        np.where((x // 9 + y // 7) % 2 == 0, 230, 20 + x % 50),
    ]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def flatten(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    if image.mode.startswith("I;16") or image.mode == "I":
        image = Image.fromarray((np.asarray(image).astype(np.uint32) / 257).round().astype(np.uint8))
    return image.convert("RGB")


def save(image: Image.Image, name: str, **options):
    path = HERE / name
    image.save(path, **options)
    flatten(Image.open(path)).save(HERE / f"{name}.rgb.png", optimize=True)


def small_pictures():
    small = scene(40, 24)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(small, f"turned-{orientation}.jpg", quality=95, subsampling=0, exif=exif)
    save(small, "progressive.jpg", quality=90, progressive=True)
    save(small.convert("L"), "grey.jpg", quality=95)
    save(small.convert("CMYK"), "cmyk.jpg", quality=95)
    save(small, "colour.png")
    save(small.convert("L"), "grey.png")
    save(small.convert("1"), "bits.png")
    save(small.quantize(17), "palette.png")
    transparent = small.quantize(17)
    save(transparent, "palette-clear.png", transparency=3)
    deep = np.asarray(small.convert("L")).astype(np.uint16) * 251
    save(Image.fromarray(deep), "deep.png")
    clear = small.convert("RGBA")
    clear.putalpha(small.convert("L"))
    save(clear, "clear.png")
    save(clear.convert("LA"), "clear-grey.png")
    save(small, "lossless.webp", lossless=True)
    save(clear, "clear.webp", lossless=True, exact=True)
    save(small, "lossy.webp", quality=90)


def resized():
    picture = scene(301, 217)
    picture.save(HERE / "scene.png", optimize=True)
    width, height = picture.size
    side = int(0.875 * min(width, height))
    left, top = (width - side + 1) // 2, (height - side + 1) // 2
    cropped = picture.crop((left, top, left + side, top + side))
    for size in (16, 64, 224):
        cropped.resize((size, size), Image.Resampling.BICUBIC).save(HERE / f"scene-{size}.png", optimize=True)


def bomb():
    """A hundred million pixels in 12 kB."""
    Image.new("1", (10000, 10000)).save(HERE / "bomb.png", optimize=True)


if __name__ == "__main__":
    small_pictures()
    resized()
    bomb()
