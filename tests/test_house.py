"""The structure of the package: no circles, few floors, and rings that only point inwards."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "vqclip_nb"
MAX_FLOORS = 13
WINGS = ("emoji", "studio", "experiments")
LAZY = {"__init__", "__main__", "loading"}  # they name what a wing offers, inside functions


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in ROOT.rglob("*.py")}


def imported(module: str, *, lazy: bool = True) -> set[str]:
    """Modules of this repository that one imports; those under TYPE_CHECKING do not count."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()

    def visit(node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import) and (lazy or not inside):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and (lazy or not inside):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        inside = inside or isinstance(node, ast.FunctionDef)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(path.read_text("utf8")), False)
    return found


def targets(module: str) -> set[str]:
    """The same as files of the package, without the `__init__` of a folder."""
    files = {n for n, path in MODULES.items() if path.name != "__init__.py"}
    names = imported(module)
    return (files & (names | {name.rpartition(".")[0] for name in names})) - {module}


def test_no_circles_and_few_floors():
    floors: dict[str, int] = {}

    def floor(module: str, path: tuple[str, ...] = ()) -> int:
        assert module not in path, " imports ".join((*path[path.index(module) :], module))
        if module not in floors:
            below = (floor(other, (*path, module)) for other in targets(module))
            floors[module] = 1 + max(below, default=0)
        return floors[module]

    highest = max(MODULES, key=floor)
    assert floors[highest] <= MAX_FLOORS, f"{highest} stands on floor {floors[highest]}"


@pytest.mark.parametrize("module", MODULES)
def test_the_method_does_not_import_the_wings_nor_the_package_its_workshop(module):
    ring = module.split(".")[1] if "." in module else "__init__"
    names = imported(module, lazy=ring not in LAZY)
    assert not {name for name in names if name.split(".")[0] in ("training", "benchmarks")}
    if ring not in WINGS:
        wings = tuple(f"vqclip_nb.{wing}" for wing in WINGS)
        assert not {name for name in names if name.startswith(wings)}


def test_no_file_of_code_is_longer_than_320_lines():
    lines = {m: len(p.read_text("utf8").splitlines()) for m, p in MODULES.items()}
    assert max(lines.values()) <= 320, max(lines, key=lines.get)


SCRIPT = """
import sys
import vqclip_nb as vq
pair = vq.open_pair(clip=sys.argv[1], vqgan=sys.argv[2], device="cpu")
reading = pair.read("a lighthouse:2 | snow", extras="at night")
assert [(p.clip_text, p.weight) for p in reading.parts] == [("a lighthouse", 2), ("snow", 1)]
settings = vq.Settings(include=["a red apple"], height=32, width=32, total_iter=2, crops=2)
run = vq.Run(pair, settings)
assert len(list(run)) == 2 and run.start is None
run.save_png("apple.png")
assert vq.replay("apple.png", pair).image.tobytes() == run.image.tobytes()
print(vq.__file__)
"""


def test_a_pair_opened_from_files_paints_without_emoji_studio_and_experiments(tmp_path):
    copy = tmp_path / ROOT.name
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*WINGS, "__pycache__"))
    files = [str(ROOT / "emoji" / f"{name}.safetensors") for name in ("clip", "vqgan")]
    env = {"PYTHONPATH": str(tmp_path), "PATH": "", "VQCLIP_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", SCRIPT, *files]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == copy
