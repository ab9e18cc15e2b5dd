"""agpt.run_files: names of checkpoints, and which numbered ones are kept."""

from pathlib import Path

import pytest
from agpt.run_files import (
    best_path_of,
    keep_numbered,
    last_path_of,
    log_path_of,
    numbered_checkpoints,
    numbered_path_of,
    remove_partial,
    resumable_checkpoint,
)


@pytest.mark.parametrize("name", ["model.safetensors", "a.b.safetensors", "run[1].safetensors"])
def test_every_checkpoint_of_a_run_leads_back_to_its_last(name: str) -> None:
    last = Path("folder") / name
    for path in (last, best_path_of(last), numbered_path_of(last, 7)):
        assert last_path_of(path) == last
    assert numbered_path_of(last, 7).name == f"{last.stem}.step000007.safetensors"
    assert numbered_path_of(last, 12345678).name == f"{last.stem}.step12345678.safetensors"
    assert log_path_of(last).name == f"{last.stem}.log.jsonl"


def test_the_newest_numbers_are_kept_with_the_content_of_their_time(tmp_path: Path) -> None:
    last = tmp_path / "m.safetensors"
    for step in (5, 10, 999_999, 1_000_000, 1_000_005):
        last.unlink(missing_ok=True)  # a checkpoint is replaced, not written over
        last.write_text(str(step))
        keep_numbered(last, step, 3)
    found = numbered_checkpoints(last)
    assert [step for step, _ in found] == [999_999, 1_000_000, 1_000_005]
    assert [path.read_text() for _, path in found] == ["999999", "1000000", "1000005"]
    assert len(list(tmp_path.iterdir())) == 4  # nothing temporary is left


def test_a_number_that_is_kept_again_is_replaced(tmp_path: Path) -> None:
    last = tmp_path / "m.safetensors"
    for text in ("old", "new", "new"):
        if text != "new" or last.read_text() != "new":
            last.unlink(missing_ok=True)
            last.write_text(text)
        keep_numbered(last, 5, 2)
    assert numbered_path_of(last, 5).read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 2


def test_numbers_beyond_the_step_are_of_an_earlier_run_and_go(tmp_path: Path) -> None:
    last = tmp_path / "m.safetensors"
    other = tmp_path / "m2.safetensors"
    for path, steps in ((last, (10, 20, 30)), (other, (40,))):
        path.write_text("x")
        for step in steps:
            keep_numbered(path, step, 9)
    keep_numbered(last, 15, 2)
    assert [step for step, _ in numbered_checkpoints(last)] == [10, 15]
    assert [step for step, _ in numbered_checkpoints(other)] == [40]


def test_the_newest_numbered_one_stands_in_for_a_missing_checkpoint(tmp_path: Path) -> None:
    last = tmp_path / "m.safetensors"
    assert resumable_checkpoint(last) == last
    last.write_text("x")
    keep_numbered(last, 10, 2)
    keep_numbered(last, 20, 2)
    assert resumable_checkpoint(last) == last
    last.unlink()
    assert resumable_checkpoint(last) == numbered_path_of(last, 20)
    assert resumable_checkpoint(tmp_path / "no" / "m.safetensors").name == "m.safetensors"


def test_a_file_system_without_links_gets_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    last = tmp_path / "m.safetensors"
    last.write_text("x")
    keep_numbered(last, 1, 1)
    last.write_text("y")
    assert numbered_path_of(last, 1).read_text() == "x"


def test_what_a_killed_run_left_half_written_is_removed_and_nothing_else(tmp_path: Path) -> None:
    last = tmp_path / "m.safetensors"
    own = [last, best_path_of(last), numbered_path_of(last, 7), log_path_of(last)]
    left = [path.with_name(f".{path.name}.a1b2c3.partial") for path in own]
    others = [tmp_path / ".m2.safetensors.a1b2c3.partial", tmp_path / ".m.safetensors.swp", *own]
    for path in (*left, *others):
        path.write_text("x")
    remove_partial(last)
    assert sorted(tmp_path.iterdir()) == sorted(others)
