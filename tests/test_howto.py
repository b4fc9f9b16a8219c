"""Every block of code in the pages runs, in order, as it stands there but for `SHORTER`."""

import dataclasses
import datetime
import functools
import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID as PURPOSE
from cryptography.x509.oid import NameOID as OID
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.__main__ import main

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
SMALL = dict(total_iter=6, crops=2, height=64, width=64, show_step=2, start="noise", prior=0.0)
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.M | re.S)
SHORTER = {"seed=range(5)": "seed=[0]", "--steps 100": "--steps 3", "width=192": "width=128"}
USES = """digital_signature content_commitment key_encipherment data_encipherment key_agreement
    key_cert_sign crl_sign encipher_only decipher_only""".split()
OPTIONAL = {"torch.utils.tensorboard": "tensorboard", "wandb": "wandb"}


def blocks(page):
    return BLOCK.findall(page.read_text("utf8"))


@pytest.fixture
def quick(pair, tmp_path, monkeypatch):
    """In an empty folder; a pair whose own defaults finish soon, and the files that pages name."""
    small = dataclasses.replace(pair, own_defaults={**pair.own_defaults, **SMALL})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VQCLIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(vq, "load_pair", lambda name="emoji", device=None, **options: small)
    monkeypatch.setattr(
        vq, "grid", functools.partial(vq.grid, distractors=["an owl"], **SMALL), raising=False
    )
    for name in ("clip", "vqgan"):
        (tmp_path / f"{name}.safetensors").write_bytes(
            (ROOT / "vqclip_nb" / "emoji" / f"{name}.safetensors").read_bytes()
        )
    waves = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(waves).save("waves.jpg")
    make_certificates(tmp_path)
    return small


def make_certificates(folder):
    """Those of an authority and of somebody who signs, with the key."""
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(1)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name(
            [x509.NameAttribute(kind, name) for kind in (OID.COMMON_NAME, OID.ORGANIZATION_NAME)]
        )
        for name in ("authority", "somebody")
    ]
    of_authority = x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key())
    pem = b""
    for i in (1, 0):
        uses = dict.fromkeys(USES, False) | {"key_cert_sign": i == 0, "digital_signature": i == 1}
        made = (
            x509.CertificateBuilder(names[0], names[i], keys[i].public_key(), i + 1)
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(i == 0, None), True)
            .add_extension(x509.KeyUsage(**uses), True)
        )
        if i:
            made = made.add_extension(x509.ExtendedKeyUsage([PURPOSE.EMAIL_PROTECTION]), False)
            from_authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                of_authority
            )
            made = made.add_extension(from_authority, False)
        else:
            made = made.add_extension(of_authority, False)
        pem += made.sign(keys[0], hashes.SHA256()).public_bytes(Encoding.PEM)
    (folder / "certificates.pem").write_bytes(pem)
    form = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    (folder / "key.pem").write_bytes(keys[1].private_bytes(*form))


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p)], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_the_blocks_of_a_page_run(page, quick):
    names = {}
    for language, code in blocks(page):
        for said, run in SHORTER.items():
            code = code.replace(said, run)
        if language == "sh":
            for line in code.splitlines():
                program, *words = shlex.split(line)
                assert program == "vqclip", f"{line}: show what is not run as a console block"
                assert main(words) == 0
        elif not any(
            f"{module} import" in code or f"import {module}" in code
            for module, package in OPTIONAL.items()
            if importlib.util.find_spec(package) is None
        ):
            exec(compile(code, str(page), "exec"), names)
    if page.name == "sign.md":
        assert names["state"] == "Valid"
        assert "red apple" in vq.open_recipe("signed.gif").include[0]


def test_every_page_with_code_is_run():
    """No block escapes by the name of its language."""
    for page in PAGES:
        fences = re.findall(r"^```(\w*)$", page.read_text("utf8"), re.M)
        own = {"py"} if page.name == "gallery.md" else set()  # run by test_gallery.py
        assert set(fences) <= {"", "python", "sh", "console", *own}, page.name
