"""Published files arrive whole or not at all, run nothing when read, and paint as they should."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import filelock  # noqa: F401  imported here, as nobody below may not read the modules' files
import platformdirs  # noqa: F401
import published
import pytest
import requests  # noqa: F401
import torch
import tqdm.auto  # noqa: F401
from published import Original, Shelf, archive, saved, sha256, small_clip, write
from safetensors import SafetensorError
from safetensors.torch import save

import vqclip_nb as vq
from vqclip_nb import pairs, weights
from vqclip_nb.weights import File

CKPT, YAML, CLIP = "last.ckpt", "model.yaml", "ViT-B-32.pt"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small are slower on several, much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made() -> SimpleNamespace:
    """The networks, and the files that were published of them."""
    torch.manual_seed(0)
    plain, gumbel, guide = Original(), Original(gumbel=True), small_clip()
    return SimpleNamespace(
        plain=plain,
        gumbel=gumbel,
        archive=archive(guide),
        guide=guide.float(),
        checkpoint=plain.checkpoint(),
        yaml=plain.yaml().encode(),
        gumbel_checkpoint=gumbel.checkpoint(),
        gumbel_yaml=gumbel.yaml().encode(),
    )


@pytest.fixture
def shelf():
    shelf = Shelf()
    yield shelf
    shelf.close()


@pytest.fixture
def publish(made, shelf, tmp_path, monkeypatch):
    """Put files on the server and in the tables: `vq.load_pair("imagenet")` asks that server."""
    monkeypatch.setenv("VQCLIP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()

    def table(name: str, data: bytes, mirrors: list[str], known: bool = True) -> File:
        urls = tuple(m if m.startswith("http") else shelf.url(m) for m in mirrors)
        return File(name, urls, sha256(data) if known else None, len(data), "MIT")

    def publish(name="imagenet", checkpoint=None, yaml=None, mirrors=(CKPT,), known=True) -> Path:
        checkpoint, yaml = checkpoint or made.checkpoint, yaml or made.yaml
        shelf.files |= {CKPT: checkpoint, YAML: yaml, CLIP: made.archive}
        entry = (
            table("vqgan.ckpt", checkpoint, list(mirrors), known),
            table("vqgan.yaml", yaml, [YAML], known),
        )
        monkeypatch.setitem(weights.VQGANS, name, entry)
        monkeypatch.setitem(weights.CLIPS, "ViT-B/32", table(CLIP, made.archive, [CLIP]))
        return tmp_path / "cache"

    return publish


def load(name: str = "imagenet", **more) -> vq.Pair:
    return vq.load_pair(name, device="cpu", **more)


def assert_same_networks(pair: vq.Pair, vqgan: Original, guide: torch.nn.Module) -> None:
    """What a pair answers is what the networks answer that its files were made of."""
    torch.manual_seed(1)
    picture, views = torch.rand(2, 3, 16, 24), torch.rand(3, 3, 32, 32)
    z = torch.randn(2, vqgan.config["embed_dim"], 8, 12)
    torch.testing.assert_close(pair.vqgan.decode(z), vqgan.decode(z))
    if pair.vqgan.proj is None:
        torch.testing.assert_close(pair.vqgan.encode(picture), vqgan.encode(picture))
    else:
        index = vqgan.quantize.proj(vqgan.encode(picture)).argmax(1)
        codes = vqgan.quantize.embed(index).permute(0, 3, 1, 2)
        torch.testing.assert_close(pair.vqgan.encode(picture), codes)
    mean, std = (torch.tensor(v)[:, None, None] for v in (pairs.CLIP_MEAN, pairs.CLIP_STD))
    torch.testing.assert_close(pair.encode_image(views), guide.encode_image((views - mean) / std))
    tokens = pairs.import_clip().tokenize(["a fox", "two words"])
    torch.testing.assert_close(pair.encode_text(["a fox", "two words"]), guide.encode_text(tokens))


def cached(folder: Path) -> set[str]:
    """Names in the cache without the locks, which some platforms leave behind."""
    return {p.name for p in folder.iterdir() if p.suffix != ".lock"}


# -- what was published is what paints ------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "gumbel"])
def test_a_published_pair_paints_as_its_original(made, shelf, publish, kind):
    if kind == "gumbel":
        cache = publish("openimages", made.gumbel_checkpoint, made.gumbel_yaml)
    else:
        cache = publish("imagenet")
    pair = load("openimages" if kind == "gumbel" else "imagenet")
    assert_same_networks(pair, getattr(made, kind), made.guide)
    assert pair.hashes == {"clip": sha256(made.archive), "vqgan": sha256(shelf.files[CKPT])}
    run = vq.Run(pair, vq.Settings(include="a fox", total_iter=2, crops=2, height=32, width=48))
    assert [f.iteration for f in run] == [0, 1] and run.image.size == (48, 32)
    # Only the slim copies stay, and the next session needs no server.
    slim = {f"{n}.{kind}" for n in (pair.name, "ViT-B-32") for kind in ("safetensors", "sha256")}
    assert cached(cache) == slim | {"vqgan.yaml"}
    size = sum(v.numel() * v.element_size() for v in getattr(made, kind).state_dict().values())
    assert size < (cache / f"{pair.name}.safetensors").stat().st_size < 1.2 * size
    shelf.close()
    again = load(pair.name)
    assert_same_networks(again, getattr(made, kind), made.guide)
    assert again.hashes == pair.hashes


def test_the_checkpoint_is_of_the_kind_that_torch_refuses_by_itself(made, tmp_path):
    path = write(tmp_path, "last.ckpt", made.checkpoint)
    with pytest.raises(Exception, match="pytorch_lightning.callbacks.model_checkpoint"):
        torch.load(path, weights_only=True)
    with_losses = weights.read_state(path)[0]
    assert "loss.logvar" in with_losses and "quantize.embedding.weight" in with_losses


@pytest.mark.parametrize("form", ["zip", "before torch 1.6", "state dict", "safetensors", "slim"])
def test_own_files_in_every_form(made, tmp_path, form):
    clip_state = made.guide.state_dict()
    config = write(tmp_path, "model.yaml", made.yaml)
    half = weights.read_state(write(tmp_path, "a.pt", made.archive))[0]
    if form in ("safetensors", "slim"):
        state = {k: v.contiguous() for k, v in made.plain.state_dict().items()}
        facts = {"config": json.dumps(made.plain.config)} if form == "slim" else None
        vqgan = write(tmp_path, "v.safetensors", save(state, facts))
        clip = write(tmp_path, "c.safetensors", save({k: v.clone() for k, v in half.items()}))
    else:
        vqgan = made.plain.state_dict() if form == "state dict" else None
        old = form == "before torch 1.6"
        data = saved(vqgan) if vqgan else made.plain.checkpoint(zipped=not old)
        vqgan = write(tmp_path, "v.ckpt", data)
        clip = write(tmp_path, "c.pt", made.archive if form == "zip" else saved(clip_state))
    pair = vq.open_pair(
        clip=clip, vqgan=vqgan, config=None if form == "slim" else config, device="cpu"
    )
    assert_same_networks(pair, made.plain, made.guide)
    assert pair.hashes == {
        "clip": sha256(clip.read_bytes()),
        "vqgan": sha256(vqgan.read_bytes()),
    }


def test_files_that_know_what_fits_them_say_so_through_every_door(pair):
    files = {name: pairs.EMOJI / f"{name}.safetensors" for name in ("clip", "vqgan")}
    own = vq.open_pair(**files, device="cpu")
    for fact in ("size", "ground", "dropout", "words", "hashes"):
        assert getattr(own, fact) == getattr(pair, fact), fact
    assert pair.size == 128 and "fox" in pair.words


def test_a_clip_in_full_precision_keeps_it(made, tmp_path):
    guide = small_clip(half=False)
    clip = write(tmp_path, "c.pt", saved(guide.state_dict()))
    files = dict(clip=clip, vqgan=write(tmp_path, "v.ckpt", made.checkpoint))
    pair = vq.open_pair(**files, config=write(tmp_path, "m.yaml", made.yaml), device="cpu")
    for name, tensor in guide.state_dict().items():
        assert torch.equal(pair.clip.state_dict()[name], tensor), name


def test_a_saved_run_goes_on_after_the_cache_was_made_anew(publish, tmp_path):
    cache = publish()
    settings = vq.Settings(include="a fox", total_iter=4, crops=2, height=16, width=16)
    run = vq.Run(load(), settings)
    run.step()
    path = run.save(tmp_path / "run.safetensors")
    for file in cache.iterdir():
        file.unlink()
    again = vq.Run.resume(path, load())
    assert again.step().loss == run.step().loss


# -- the way here ---------------------------------------------------------------------------------


def test_a_cut_connection_goes_on_where_it_stopped(made, shelf, publish):
    publish()
    shelf.faults[CKPT] = "cut"
    assert_same_networks(load(), made.plain, made.guide)
    starts = [start for path, start in shelf.asked if path == CKPT]
    assert len(starts) == 4 and starts[0] == 0 and starts == sorted(set(starts))
    assert shelf.sent[CKPT] < 1.05 * len(made.checkpoint)


def test_what_an_earlier_session_left_is_used(made, shelf, publish):
    cache = publish()
    begun = made.checkpoint[: len(made.checkpoint) // 2]
    write(cache, "vqgan.ckpt.part", begun)
    assert_same_networks(load(), made.plain, made.guide)
    assert [start for path, start in shelf.asked if path == CKPT] == [len(begun)]


def test_all_had_arrived_but_was_not_checked(made, shelf, publish):
    cache = publish()
    write(cache, "vqgan.ckpt.part", made.checkpoint)
    assert_same_networks(load(), made.plain, made.guide)
    assert CKPT not in dict(shelf.asked)


@pytest.mark.parametrize("begun", ["other", "whole"])
def test_a_beginning_of_another_file_is_dropped(made, shelf, publish, begun):
    cache = publish()
    size = len(made.checkpoint) if begun == "whole" else 4000
    write(cache, "vqgan.ckpt.part", b"x" * size)
    assert_same_networks(load(), made.plain, made.guide)
    assert [start for path, start in shelf.asked if path == CKPT][-1] == 0


def test_more_than_there_is_gets_a_416_and_starts_again(made, shelf, publish):
    cache = publish()
    write(cache, "vqgan.ckpt.part", made.checkpoint + b"more")
    assert_same_networks(load(), made.plain, made.guide)
    assert 416 in shelf.statuses


def test_a_server_that_cannot_continue_sends_everything(made, shelf, publish):
    cache = publish()
    write(cache, "vqgan.ckpt.part", made.checkpoint[:5000])
    shelf.faults[CKPT] = "no range"
    assert_same_networks(load(), made.plain, made.guide)
    assert (CKPT, 5000) in shelf.asked and shelf.sent[CKPT] == len(made.checkpoint)


def test_a_server_that_packs_texts(made, shelf, publish):
    publish()
    shelf.faults[YAML] = "packs"
    assert_same_networks(load(), made.plain, made.guide)


@pytest.mark.parametrize("fault", ["wrong contents", 404, 503, "closed port"])
def test_the_second_mirror_helps(made, shelf, publish, fault):
    with socket.create_server(("127.0.0.1", 0)) as s:
        closed = f"http://127.0.0.1:{s.getsockname()[1]}/{CKPT}"
    first = closed if fault == "closed port" else "first.ckpt"
    publish(mirrors=[first, CKPT])
    # As large as the right one: only the hash can tell.
    shelf.files["first.ckpt"] = made.checkpoint[:-1] + b"x"
    if isinstance(fault, int):
        shelf.faults["first.ckpt"] = fault
    assert_same_networks(load(), made.plain, made.guide)
    assert ("first.ckpt" in dict(shelf.asked)) == (fault != "closed port")
    assert (CKPT, 0) in shelf.asked


def test_when_no_mirror_helps_the_message_does(made, shelf, publish):
    cache = publish(mirrors=["gone.ckpt", "other.ckpt"])
    shelf.files["other.ckpt"] = b"something else"
    with pytest.raises(vq.WeightsError) as error:
        load()
    words = str(error.value)
    assert shelf.url("gone.ckpt") in words and "404" in words
    assert shelf.url("other.ckpt") in words and sha256(b"something else") in words
    assert str(cache / "vqgan.ckpt") in words and "by hand" in words
    assert not {"vqgan.ckpt", "vqgan.ckpt.part", "imagenet.safetensors"} & cached(cache)
    write(cache, "vqgan.ckpt", made.checkpoint)  # by hand
    assert_same_networks(load(), made.plain, made.guide)


# -- the cache ------------------------------------------------------------------------------------


def test_a_corrupt_original_is_fetched_again(made, shelf, publish, caplog):
    cache = publish()
    write(cache, "vqgan.ckpt", made.checkpoint[:-9] + b"corrupted")
    assert_same_networks(load(), made.plain, made.guide)
    assert shelf.asked.count((CKPT, 0)) == 1 and "vqgan.ckpt is corrupt" in caplog.text


@pytest.mark.parametrize("damage", ["one byte", "cut off", "hash gone", "hash empty"])
def test_a_corrupt_slim_copy_is_made_anew(made, shelf, publish, caplog, damage):
    cache = publish()
    before = load().hashes
    slim, asked = cache / "imagenet.safetensors", len(shelf.asked)
    data = bytearray(slim.read_bytes())
    data[-1000] ^= 1
    if damage == "one byte":
        slim.write_bytes(data)
    elif damage == "cut off":
        slim.write_bytes(data[:-500])
    elif damage == "hash gone":
        slim.with_suffix(".sha256").unlink()
    else:
        slim.with_suffix(".sha256").write_text("")
    with caplog.at_level(logging.WARNING):
        pair = load()
    assert "imagenet" in caplog.text and pair.hashes == before
    assert_same_networks(pair, made.plain, made.guide)
    assert [path for path, _ in shelf.asked[asked:]] == [CKPT]
    load()
    assert len(shelf.asked) == asked + 1


def test_several_at_once_fetch_once(made, shelf, publish):
    publish()
    with ThreadPoolExecutor(3) as pool:
        for pair in pool.map(lambda _: load(), range(3)):
            assert_same_networks(pair, made.plain, made.guide)
    assert sorted(path for path, _ in shelf.asked) == sorted([CKPT, YAML, CLIP])


def test_the_pair_that_ships_is_checked_too(monkeypatch, tmp_path):
    for file in pairs.EMOJI.iterdir():
        if file.suffix in (".safetensors", ".sha256"):
            write(tmp_path, file.name, file.read_bytes())
    monkeypatch.setattr(pairs, "EMOJI", tmp_path)
    assert load("emoji").words
    data = bytearray((tmp_path / "vqgan.safetensors").read_bytes())
    data[-1] ^= 1
    write(tmp_path, "vqgan.safetensors", bytes(data))
    with pytest.raises(vq.WeightsError, match="vqgan.safetensors is corrupt"):
        load("emoji")


@pytest.mark.parametrize("when", ["download", "tensors", "hash"])
def test_a_full_disk_is_named_and_nothing_half_is_left(made, shelf, publish, when):
    cache = publish()
    with pytest.MonkeyPatch.context() as m:
        if when == "tensors":  # the words of safetensors on a full disk

            def full(tensors, file, metadata):
                Path(file).write_bytes(b"half")
                raise SafetensorError("I/O error: No space left on device (os error 28)")

            m.setattr("safetensors.torch.save_file", full)
        else:  # the system's own file that has no room
            name = "vqgan.ckpt.part" if when == "download" else "imagenet.sha256"
            (cache / name).symlink_to("/dev/full")
        with pytest.raises(
            vq.WeightsError, match="disk of .* is full: .* MB are needed.*VQCLIP_CACHE"
        ):
            load()
    assert not {"imagenet.safetensors", "imagenet.part"} & cached(cache)
    for name in ("vqgan.ckpt.part", "imagenet.sha256"):  # room was made
        (cache / name).unlink(missing_ok=True)
    assert_same_networks(load(), made.plain, made.guide)
    assert shelf.asked.count((CKPT, 0)) == (2 if when == "download" else 1)


@contextlib.contextmanager
def nobody():
    """Rights of a plain user, as root may write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_folder_without_permission_is_named(publish, monkeypatch):
    publish()
    load()  # so that every module is there
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("VQCLIP_CACHE", folder)
        os.chmod(folder, 0o555)
        with nobody(), pytest.raises(vq.WeightsError) as error:
            load()
        os.chmod(folder, 0o755)
    assert f"no permission to write in {folder}" in str(error.value)
    assert "VQCLIP_CACHE" in str(error.value)


def test_a_cache_that_is_only_read(made, shelf, publish):
    cache = publish()
    load()
    for file in cache.iterdir():
        if file.suffix == ".lock":
            file.unlink()
    asked = len(shelf.asked)
    with tempfile.TemporaryDirectory() as folder:
        for file in cache.iterdir():
            write(Path(folder), file.name, file.read_bytes()).chmod(0o444)
        os.chmod(folder, 0o555)
        with pytest.MonkeyPatch.context() as m, nobody():
            m.setenv("VQCLIP_CACHE", folder)
            assert_same_networks(load(), made.plain, made.guide)
        os.chmod(folder, 0o755)
    assert len(shelf.asked) == asked


def test_a_cache_that_is_no_folder(publish, monkeypatch, tmp_path):
    publish()
    below = write(tmp_path, "file", "here") / "below"
    monkeypatch.setenv("VQCLIP_CACHE", str(below))
    with pytest.raises(vq.WeightsError, match="cannot make the cache folder .*below.*VQCLIP_CACHE"):
        load()


def test_other_errors_of_the_disk_are_not_hidden(publish, monkeypatch):
    publish()

    def broken(path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(weights.download, "sha256_of", broken)
    with pytest.raises(OSError, match="Input/output error"):
        load()


# -- what is refused ------------------------------------------------------------------------------


class Bomb:
    """Makes a folder if anybody unpickles it."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("door", ["load_pair", "open_pair", "as clip"])
def test_a_checkpoint_that_would_run_something_is_refused(made, publish, tmp_path, door, zipped):
    mark = tmp_path / "ran"
    bad = made.plain.checkpoint(zipped=zipped, hyper_parameters=Bomb(mark))
    path = write(tmp_path, "bad.ckpt", bad)
    config = write(tmp_path, "model.yaml", made.yaml)
    good = write(tmp_path, "good.pt", made.archive)
    with pytest.raises(vq.WeightsError, match=r"more than tensors.*(posix|nt)\.mkdir"):
        if door == "load_pair":
            publish(checkpoint=bad)
            load()
        elif door == "open_pair":
            vq.open_pair(clip=good, vqgan=path, config=config, device="cpu")
        else:
            vq.open_pair(clip=path, vqgan=path, config=config, device="cpu")
    assert not mark.exists()
    callback = type("ModelCheckpoint", (), {"__module__": published.CALLBACK})
    with published.lightning_module(callback):
        torch.load(path, weights_only=False)
    assert mark.exists(), "the checkpoint was harmless: this test proves nothing"


@pytest.mark.parametrize("kind", ["ckpt", "old ckpt", "archive", "state dict", "safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(made, tmp_path, kind, keep):
    whole, name = {
        "ckpt": lambda: (made.checkpoint, "a.ckpt"),
        "old ckpt": lambda: (made.plain.checkpoint(zipped=False), "a.ckpt"),
        "archive": lambda: (made.archive, "a.pt"),
        "state dict": lambda: (saved(made.plain.state_dict()), "a.pt"),
        "safetensors": lambda: (save(made.plain.state_dict()), "a.safetensors"),
    }[kind]()
    size = keep if isinstance(keep, int) else int(len(whole) * keep)
    path = write(tmp_path, name, whole[:size])
    config = write(tmp_path, "model.yaml", made.yaml)
    good = write(tmp_path, "good.pt", made.archive)
    with pytest.raises(vq.WeightsError, match=f"{name} is damaged or no weight file"):
        if kind == "archive":
            vq.open_pair(clip=path, vqgan=good, config=config, device="cpu")
        else:
            vq.open_pair(clip=good, vqgan=path, config=config, device="cpu")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(vqgan="gone.ckpt"), "gone.ckpt: no such file"),
        (dict(config=None), "give config=PATH"),
        (dict(config="gone.yaml"), "gone.yaml is no VQGAN configuration"),
        (dict(config="text.yaml"), "text.yaml is no VQGAN configuration: it needs ddconfig"),
        (dict(config="empty.yaml"), "empty.yaml is no VQGAN configuration"),
        (dict(config="other.yaml"), "do not fit the VQGAN configuration.*codebook.weight"),
        (dict(clip="v.ckpt"), "no CLIP weights"),
        (dict(vqgan="c.pt"), "do not fit the VQGAN configuration.*encoder"),
        (dict(vqgan="picture.ckpt"), "picture.ckpt is damaged or no weight file"),
        (dict(clip="list.pt"), "list.pt holds no state dict"),
    ],
)
def test_own_files_that_do_not_fit_say_why(made, tmp_path, change, words):
    write(tmp_path, "v.ckpt", made.checkpoint)
    write(tmp_path, "c.pt", made.archive)
    write(tmp_path, "m.yaml", made.yaml)
    write(tmp_path, "text.yaml", "just: a text")
    write(tmp_path, "empty.yaml", "")
    write(tmp_path, "other.yaml", made.yaml.replace(b"n_embed: 24", b"n_embed: 25"))
    write(tmp_path, "picture.ckpt", b"\x89PNG\r\n\x1a\n" + bytes(200))
    write(tmp_path, "list.pt", saved([torch.zeros(3)]))
    files = {**dict(clip="c.pt", vqgan="v.ckpt", config="m.yaml"), **change}
    with pytest.raises(vq.WeightsError, match=f"(?s){words}"):
        vq.open_pair(**{k: v and tmp_path / v for k, v in files.items()}, device="cpu")


def test_without_a_known_hash_only_with_consent(made, shelf, publish):
    cache = publish(known=False)
    with pytest.raises(vq.WeightsError, match="no SHA-256 is published.*accept_unknown=True"):
        load()
    assert CKPT not in dict(shelf.asked) and not (cache / "imagenet.safetensors").exists()
    pair = load(accept_unknown=True)
    assert_same_networks(pair, made.plain, made.guide)
    assert pair.hashes["vqgan"] == sha256(made.checkpoint)  # so that it can be compared later


def test_unknown_names_list_the_known_ones(publish):
    publish()
    with pytest.raises(ValueError, match="'imagnet' is not known: choose one of emoji, imagenet,"):
        load("imagnet")
    with pytest.raises(ValueError, match="'ViT-B32' is not known: choose one of ViT-B/32, "):
        load(clip="ViT-B32")


def test_every_published_file_is_described():
    assert vq.available_pairs() == ["emoji", *weights.VQGANS]
    files = [*weights.CLIPS.values(), *(f for both in weights.VQGANS.values() for f in both)]
    assert len({f.name for f in files}) == len(files)
    for file in files:
        assert file.urls and all(u.startswith("https://") for u in file.urls), file.name
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32, file.name
        assert file.bytes > 0 and file.licence, file.name
