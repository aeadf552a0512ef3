"""Where state lives: the state folder, and which store a workspace's `stores.state` names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.store.contract import State, StoreError
from gateway.store.sqlite import SqliteState

FOLDER = ".figway"
DEFAULT_URL = f"sqlite:///{FOLDER}/state.db"


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder that holds all that the gateway keeps on this host."""

    path: Path

    @classmethod
    def of(cls, workspace: Path, configured: Path | None = None) -> StateFolder:
        """The folder that the process's settings name, or else the workspace's own `.figway`."""
        return cls((configured or workspace / FOLDER).absolute())

    @property
    def shared(self) -> Path:
        """The file whose memory this host's workers share (`gateway.store.shared`)."""
        return self.path / "shared"

    @property
    def limits(self) -> Path:
        """The file in which this host's workers count what limits are about (`gateway.limits.memory`)."""
        return self.path / "limits"

    @property
    def marks(self) -> Path:
        """The file in which this host's workers note what has changed of what is kept (`gateway.cache.marks`)."""
        return self.path / "marks"

    @property
    def audit(self) -> Path:
        """The folder of the audit's files, one a writer."""
        return self.path / "audit"

    @property
    def operations(self) -> Path:
        """The file of the operations (`gateway.operations`)."""
        return self.path / "operations.db"

    @property
    def approvals(self) -> Path:
        """The file of the approvals (`gateway.approvals`)."""
        return self.path / "approvals.db"

    @property
    def outbox(self) -> Path:
        """The file of the writes that both sides of a group are to see (`gateway.migration.outbox`)."""
        return self.path / "outbox.db"

    @property
    def reconciliations(self) -> Path:
        """The file of what differs between groups' sides, and of its repairs (`gateway.migration.reconcile`)."""
        return self.path / "reconcile.db"

    @property
    def events(self) -> Path:
        """The file of what was captured (`gateway.events`)."""
        return self.path / "events.db"

    @property
    def deliveries(self) -> Path:
        """The file of how far subscribers have been told of what was captured (`gateway.feeds`)."""
        return self.path / "deliveries.db"

    @property
    def parity(self) -> Path:
        """The folder of what came of comparisons, by group (`gateway.migration.samples`)."""
        return self.path / "parity"

    @property
    def recordings(self) -> Path:
        """The folder in which workers record what legacy answers (`gateway.migration.recording`)."""
        return self.path / "recordings"

    @property
    def keys(self) -> Path:
        """The folder of the gateway's own secret keys."""
        return self.path / "keys"

    @property
    def of_mocks(self) -> StateFolder:
        """The folder of what is kept while examples answer all routes, apart from what is real."""
        return StateFolder(self.path / "mock")

    def create(self) -> None:
        """Makes the folder, readable by its owner only and ignored by git; raises `StoreError`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise StoreError(f"the state folder {self.path} can't be made: {error.strerror}") from error


def open_state(url: str, workspace: Path, folder: StateFolder) -> State:
    """The store that `url` names, upgraded to this version; raises `StoreError`.

    `sqlite:///PATH` is a file: relative to the workspace, but below `.figway/` it is in the state folder, wherever
    that is; `sqlite:////PATH` is absolute.
    """
    path = state_path(url, workspace, folder)
    folder.create()
    return SqliteState(path)


def state_path(url: str, workspace: Path, folder: StateFolder) -> Path:
    """The file of the store that `url` names; raises `StoreError`."""
    prefix = "sqlite:///"
    path = Path(url.removeprefix(prefix))
    if not url.startswith(prefix) or path == Path():
        raise StoreError(f"stores.state is '{url}'; it must be sqlite:///PATH")
    if path.parts[0] == FOLDER:
        return folder.path.joinpath(*path.parts[1:])
    return workspace.absolute() / path
