"""The application's files, read with bounds: whatever is in a tree, reading it neither fails nor takes long."""

import os
import re

import parts
from wit_world.imports import types

# Where the host mounts the tree, read-only.
TREE = "/app"
# Manifests are small; larger files are refused.
MOST_BYTES = 2 << 20


class Source:
    def __init__(self, context: types.Context):
        self.root = os.path.normpath(os.path.join(TREE, context.app_root))
        inside = self.root == TREE or self.root.startswith(TREE + "/")
        if not inside or not os.path.isdir(self.root):
            message = f"There is no directory `{context.app_root}` in the source."
            raise parts.refused("ROOT_NOT_FOUND", message, "Correct the application's root directory.")

    def is_file(self, path: str) -> bool:
        return os.path.isfile(os.path.join(self.root, path))

    def read(self, path: str) -> str | None:
        """None: there is no such file. Bytes that are not UTF-8 become replacement characters."""
        if not self.is_file(path):
            return None
        try:
            with open(os.path.join(self.root, path), "rb") as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise parts.refused("FILE_UNREADABLE", f"`{path}` cannot be read: {error.strerror}.", "Make the file readable.", path)
        if len(content) > MOST_BYTES:
            message = f"`{path}` is larger than {MOST_BYTES >> 20} MiB."
            raise parts.refused("FILE_TOO_LARGE", message, "Make the file smaller; a manifest is a few kilobytes.", path)
        return content.decode("utf-8", "replace").removeprefix("\ufeff")

    def peek(self, path: str) -> str:
        """For hints: empty where there is no such file, or where it cannot be read."""
        try:
            return self.read(path) or ""
        except parts.Refused:
            return ""

    def names(self, path: str = ".") -> list[str]:
        """Sorted, because a directory's own order is different on every machine."""
        try:
            return sorted(os.listdir(os.path.join(self.root, path)))
        except OSError:
            return []

    def web_process(self) -> str | None:
        return self._procfile().get("web")

    def other_processes(self) -> bool:
        return bool(self._procfile().keys() - {"web", "release"})

    def _procfile(self) -> dict[str, str]:
        lines = re.findall(r"^\s*([A-Za-z0-9_-]+)\s*:\s*(\S.*?)\s*$", self.read("Procfile") or "", re.MULTILINE)
        return dict(lines)
