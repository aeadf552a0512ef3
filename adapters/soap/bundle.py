"""WSDLs that come in a folder or a zip archive: which document is meant, and the archive's files, within bounds."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Mapping

from adapters.errors import ConfigError, ConfigProblem

_SERVICE = re.compile(rb"<(?:[\w.-]+:)?service[\s>]")
_WSDL = re.compile(rb"<(?:[\w.-]+:)?definitions[\s>]")
_MOST_FILES = 2000
_MOST_BYTES = 64 * 2**20
_ZIP = b"PK\x03\x04"


def located(files: Mapping[str, bytes], wsdl: str) -> str:
    """`wsdl`, or the path of the WSDL in the folder of that name; raises `ConfigError`."""
    folder = wsdl.rstrip("/") + "/"
    inside = {path: data for path, data in files.items() if path.startswith(folder)} if wsdl not in files else {}
    return _main(inside, wsdl) if inside else wsdl


def opened(files: Mapping[str, bytes], wsdl: str) -> tuple[Mapping[str, bytes], str]:
    """The files to read and the WSDL's path among them, those in it where `wsdl` is a zip archive; raises
    `ConfigError`."""
    data = files.get(wsdl, b"")
    if not data.startswith(_ZIP):
        return files, wsdl
    unzipped = unpacked(data, wsdl)
    return unzipped, _main(unzipped, wsdl)


def unpacked(data: bytes, path: str) -> Mapping[str, bytes]:
    """The files of a zip archive by their paths in it; raises `ConfigError` for one that is damaged, encrypted, too
    big once unpacked, or names a place outside of itself."""
    files: dict[str, bytes] = {}
    left = _MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > _MOST_FILES:
                raise _problem(f"'{path}' holds more than {_MOST_FILES} files", path)
            for entry in entries:
                with archive.open(entry) as file:
                    # What an entry says of its own size is not believed.
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise _problem(f"'{path}' is more than {_MOST_BYTES >> 20} MiB once unpacked", path)
                files[_inside(entry.filename, path)] = content
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise _problem(f"'{path}' can't be unpacked: {type(error).__name__}", path) from error
    return files


def _inside(name: str, path: str) -> str:
    plain = posixpath.normpath(name.replace("\\", "/"))
    if plain.startswith(("/", "../")) or plain == ".." or ":" in plain:
        raise _problem(f"'{path}' holds a file that lies outside of it", path)
    return plain


def _main(files: Mapping[str, bytes], path: str) -> str:
    """The one WSDL with services."""
    found = [name for name, data in files.items() if _WSDL.search(data) and _SERVICE.search(data)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"'{posixpath.basename(name)}'" for name in sorted(found)[:5])
    said = f"several WSDLs with services: {names}; name one of them" if found else "no WSDL with a service"
    raise _problem(f"'{path}' holds {said}", path)


def _problem(message: str, path: str) -> ConfigError:
    return ConfigError([ConfigProblem(message, "/wsdl", path, None)])
