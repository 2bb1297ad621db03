"""A file system that is not the local one: what a cloud's storage looks like to Beam."""

import io

from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

SCHEME = "memory"
FILES: dict[str, bytes] = {}


class _Upload(io.BytesIO):
    """Is there only when it is closed, like an upload to a bucket."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def close(self):
        if not self.closed:
            FILES[self._path] = self.getvalue()
        super().close()


class MemoryFileSystem(FileSystem):
    @classmethod
    def scheme(cls):
        return SCHEME

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path):
        raise AssertionError(f"a bucket has no directories: {path}")

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        for path in sorted(FILES):
            if path.startswith(dir_or_prefix):
                yield self.metadata(path)

    def create(self, path, mime_type=None, compression_type=None):
        del mime_type, compression_type
        return _Upload(path)

    def open(self, path, mime_type=None, compression_type=None):
        del mime_type, compression_type
        return io.BytesIO(FILES[path])

    def copy(self, source_file_names, destination_file_names):
        raise NotImplementedError

    def rename(self, source_file_names, destination_file_names):
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            FILES[destination] = FILES.pop(source)

    def exists(self, path):
        return path in FILES

    def size(self, path):
        return len(FILES[path])

    def last_updated(self, path):
        raise NotImplementedError

    def checksum(self, path):
        raise NotImplementedError

    def metadata(self, path):
        return FileMetadata(path, self.size(path))

    def delete(self, paths):
        for path in paths:
            if path not in FILES:
                raise BeamIOError(f"{path} is not there")
            del FILES[path]
