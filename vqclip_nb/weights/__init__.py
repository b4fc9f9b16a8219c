"""Weight files: where they are published, how they come here, and how they are read safely."""

from .cache import arrived, read_checked, slim_cache, slim_path, write_state
from .config import parse_config, parse_facts, read_config
from .download import CLIPS, VQGANS, File, cache_folder, fetch, sha256_of
from .errors import WeightsError
from .read import read_state
