"""The parameters of a model in host memory, while a device may have newer ones."""

import weakref
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class DeviceCopy(Protocol):
    """What updates parameters elsewhere than in host memory: the engine's trainer on a device."""

    def fetch_parameters(self) -> None:
        """Writes its parameters to the buffer that it was made for."""


class ParameterBuffer:
    """One flat array, which is right whenever somebody can see it.

    A device leaves its updates where they are until they are asked for. As long as a caller keeps
    an array of the parameters, or a view of one, every step on a device copies them both ways.
    """

    def __init__(self, size: int, dtype: str) -> None:
        """Room for `size` numbers, of any value."""
        self._array: Array = np.empty(size, dtype)
        self._lent: weakref.ref[Array] | None = None
        self._newer: DeviceCopy | None = None

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(self._array.size)

    @property
    def is_lent(self) -> bool:
        """Whether a caller has an array in which it may read and write at any time."""
        return self._lent is not None and self._lent() is not None

    def lend(self) -> Array:
        """The parameters for a caller to keep, to read and to write to."""
        self.settle()
        lent = None if self._lent is None else self._lent()
        if lent is None:  # views of it keep it alive: it does not own its memory as an array
            lent = np.frombuffer(self._array.data, self._array.dtype)
            self._lent = weakref.ref(lent)
        return lent

    def for_engine(self) -> Array:
        """The parameters for the engine, which says what it does to them: not lent."""
        self.settle()
        return self._array

    def settle(self) -> None:
        """Fetches what a device has newer."""
        if self._newer is not None:
            self._newer.fetch_parameters()
            self._newer = None

    def is_newer_at(self, device: DeviceCopy) -> bool:
        """Whether the device has the newest parameters, and nobody could have changed others."""
        return self._newer is device and not self.is_lent

    def updated_at(self, device: DeviceCopy) -> None:
        """The device made the newest parameters: fetched at once if somebody could look."""
        self._newer = device
        if self.is_lent:
            self.settle()

    def __getstate__(self) -> Array:
        """A copy knows of no device and of no views."""
        self.settle()
        return self._array

    def __setstate__(self, array: Array) -> None:
        """The copy has an array of its own."""
        self._array, self._lent, self._newer = array.copy(), None, None
