"""The mark of generated media, IPTC's word in an XMP packet: put into PNG, GIF and MP4, read back.

Where a packet lies in each kind of file is laid down in part 3 of Adobe's XMP specification.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from .files import read_bounded
from .images import read_info

# IPTC's word for media made by an algorithm that learned from samples.
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{IPTC}"/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)
PNG_KEY = "XML:com.adobe.xmp"
MP4_BOX = uuid.UUID("be7acfcb-97a9-42e8-9c71-999491e3afac")
# The word as an attribute, as an element or as a resource. Recipes spell the name otherwise.
FOUND = re.compile(
    r"DigitalSourceType(?:>|\s{0,9}=|\s{1,9}rdf:resource\s{0,9}=)\s{0,9}[\"']?(https?://[\w./-]{1,200})"
)
MAX_FILE = 500_000_000  # bytes


def mark_gif(path: Path) -> None:
    """Put the packet into a GIF, behind its header and the colours for all frames."""
    data = path.read_bytes()
    packed = data[10]
    at = 13 + (3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0)
    # A packet is no chain of blocks: whoever takes it for one lands in the trailer, each byte of
    # which leads to its end.
    trailer = bytes([1, *range(255, -1, -1), 0])
    extension = b"\x21\xff\x0bXMP DataXMP" + XMP.encode() + trailer
    path.write_bytes(b"GIF89a" + data[6:at] + extension + data[at:])


def mark_mp4(path: Path) -> None:
    """Put the packet at the end of an MP4, as a box of its own."""
    content = MP4_BOX.bytes + XMP.encode()
    with open(path, "ab") as file:
        file.write((8 + len(content)).to_bytes(4, "big") + b"uuid" + content)


def read_mark(path: str | Path) -> str | None:
    """How a file says that its picture came about: a word of IPTC's, as an address; None if it
    does not say.

    Packets are looked for among the bytes, as they are made to be; nothing is decoded but the
    texts of a PNG. FileNotFoundError; ValueError for a file over 500 MB or no regular one.
    """
    data = read_bounded(path, MAX_FILE)
    if data.startswith(b"\x89PNG"):
        packet = f"{read_info(path, ('PNG',)).get(PNG_KEY, '')}"
    else:
        packet = data.decode("latin-1")
    found = FOUND.search(packet)
    return found[1] if found else None
