"""Pictures as the bytes of a file, for tests that hand one in."""

from io import BytesIO

from PIL import Image, PngImagePlugin


def picture(kind: str = "PNG", size=(64, 64), colour: str = "red", recipe: str = "") -> bytes:
    """A picture of one colour; `recipe` is stored where the package stores one, if there is any."""
    file, info = BytesIO(), PngImagePlugin.PngInfo()
    if recipe:
        info.add_itxt("vqclip_nb", recipe)
    Image.new("RGB", size, colour).save(file, kind, pnginfo=info)
    return file.getvalue()
