"""Tokenizers of Hugging Face: the ids of the whole text, kept in indexes and models, and back."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, FormatError, Model, TrieIndex, Vocabulary
from agpt.cli.build import command as build
from agpt.cli.generate import command as generate
from agpt.cli.perplexity import command as perplexity
from agpt.cli.train import command as train
from agpt.data import text_windows
from agpt.data import tokenizer as tokenizer_module
from agpt.data.tokenizer import TextTokenizer
from agpt.evaluation import characters_and_bytes
from agpt.token_text import TokenText, continuation_text, require_same_vocabulary
from click.testing import Result
from conftest import make_text
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_fails

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]
TINY = ["--d-model", "16", "--n-layers", "1", "--heads", "2", "--steps", "3"]
DATA, USAGE = 1, 2


def byte_pairs() -> Any:
    """As GPT-2's: pairs of bytes, spaces belong to the word behind them."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=alphabet,
        special_tokens=["<|end|>"],
        show_progress=False,
    )
    made.train_from_iterator([make_text()], trainer)
    return made


def word_pieces() -> Any:
    """As BERT's: lower case, no spaces, parts of words."""
    made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=60, special_tokens=["[UNK]"], show_progress=False
    )
    made.train_from_iterator([make_text()], trainer)
    return made


def sentence_pieces() -> Any:
    """As T5's: the most probable pieces, spaces as a letter, one more before the text."""
    made = tokenizers.Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=80, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
    )
    made.train_from_iterator([make_text()], trainer)
    return made


MAKERS = {"bpe": byte_pairs, "wordpiece": word_pieces, "unigram": sentence_pieces}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tokenizers")
    paths = {name: folder / f"{name}.json" for name in MAKERS}
    for name, path in paths.items():
        MAKERS[name]().save(str(path))
    return paths


def words_tokenizer(path: Path, words: dict[str, int], **changes: Any) -> Path:
    """A tokenizer that knows words between spaces."""
    tokenizer = tokenizers.Tokenizer(models.WordLevel(words, **changes))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(path))
    return path


def whole_ids(path: Path, text: str) -> list[int]:
    """What the library makes of the text in one go."""
    library = tokenizers.Tokenizer.from_file(str(path))
    return list(library.encode(text, add_special_tokens=False).ids)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_windows, "WINDOW_CHARACTERS", 64)
    monkeypatch.setattr(text_windows, "OVERLAP_CHARACTERS", 48)
    monkeypatch.setattr(text_windows, "WINDOWS_AT_ONCE", 3)


WORDS = st.sampled_from(
    ["the", " the", "The", " cat", "\n", "\n\n", "  ", ".", "é", "€uro", "😀", "<|end|>", " Sat,"]
)
SETTINGS = settings(deadline=None, max_examples=60)


@pytest.mark.parametrize("name", MAKERS)
def test_windows_give_the_ids_of_the_whole_text(
    name: str, made: dict[str, Path], small_windows: None
) -> None:
    tokenizer = TextTokenizer.from_file(made[name])

    @SETTINGS
    @given(st.lists(WORDS, min_size=20, max_size=200), st.integers(1, 100))
    def check(words: list[str], piece: int) -> None:
        text = "".join(words)
        pieces = (text[i : i + piece] for i in range(0, len(text), piece))
        expected = whole_ids(made[name], text)
        assert tokenizer.running_corpus(pieces).tokens.tolist() == expected

    check()


@pytest.mark.parametrize("run", [40, 65, 200, 1000])
def test_runs_longer_than_a_window_are_encoded_as_one(
    run: int, made: dict[str, Path], small_windows: None
) -> None:
    """Where pairs meet depends on where a run begins: the windows around it become one."""
    for text in ("the cat" + "a" * run + " sat" * 40, " " * run + "x", "e" * run * 3):
        corpus = TextTokenizer.from_file(made["bpe"]).running_corpus([text])
        assert corpus.tokens.tolist() == whole_ids(made["bpe"], text)


@pytest.mark.parametrize("name", MAKERS)
def test_real_windows_of_a_longer_text(name: str, made: dict[str, Path], tmp_path: Path) -> None:
    text = make_text(300_000)
    path = tmp_path / "text.txt"
    path.write_text(text)
    corpus = Corpus.from_file(path, tokenizer=str(made[name]))
    assert corpus.tokens.tolist() == whole_ids(made[name], text)


class Windowed:
    """A tokenizer in whose windows everything depends on how long they are."""

    def __init__(self, text: str) -> None:
        self.ids = [len(text) for _ in text]
        self.offsets = [(i, i + 1) for i in range(len(text))]


def test_a_tokenizer_that_never_agrees_still_gets_the_whole_text(small_windows: None) -> None:
    text = "x" * 1000
    windows = text_windows.windows_of([text])
    parts = text_windows.cut_ids(windows, lambda batch: [Windowed(w.text) for w in batch])
    assert list(itertools.chain(*parts)) == [1000] * 1000


def test_windows_cover_a_text_with_overlaps(small_windows: None) -> None:
    text = make_text(1000)
    for piece in (1, 7, 64, 1000):
        pieces: Iterator[str] = (text[i : i + piece] for i in range(0, len(text), piece))
        windows = list(text_windows.windows_of(pieces))
        assert "".join(window.text[window.begin : window.end] for window in windows) == text
        assert all(window.begin == 48 for window in windows[1:])


@pytest.mark.parametrize("name", MAKERS)
def test_documents_are_encoded_one_by_one(name: str, made: dict[str, Path]) -> None:
    documents = ["the cat sat", "", "The é 😀", "on <|end|>"]
    corpus = Corpus.from_documents(documents, tokenizer=str(made[name]))
    boundary = corpus.vocabulary.boundary
    expected: list[int | None] = []
    for document in documents:
        expected += [boundary, *whole_ids(made[name], document), boundary]
    assert corpus.tokens.tolist() == expected
    assert boundary == corpus.vocab_size - 1


def test_what_byte_pairs_encode_comes_back_and_is_counted(made: dict[str, Path]) -> None:
    text = "The cat  sat\n\n on é€😀 <|end|> mats."
    corpus = Corpus.from_text(text, tokenizer=str(made["bpe"]))
    assert corpus.decode(corpus.tokens) == text
    assert corpus.encode(text).tolist() == corpus.tokens.tolist()
    whole = TokenText.from_tokens(corpus.tokens, None)
    assert characters_and_bytes(corpus.vocabulary, whole) == (len(text), len(text.encode()))
    documents = Corpus.from_documents([text, "é"], tokenizer=str(made["bpe"]))
    assert documents.decode(documents.tokens) == text + "é"
    counted = characters_and_bytes(documents.vocabulary, TokenText.from_tokens(documents.tokens, 0))
    assert counted == (len(text) + 1 + 4, len(text.encode()) + 2 + 4)


@pytest.mark.parametrize("name", MAKERS)
def test_counting_in_parts_counts_what_the_whole_decodes_to(
    name: str, made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = TextTokenizer.from_file(made[name])
    ids = np.array(whole_ids(made[name], "The é cat 😀 sat.\n" * 30), np.uint32)
    text = tokenizer.decode(ids)
    for size in (1, 2, 7, 100):
        monkeypatch.setattr(tokenizer_module, "DECODED_AT_ONCE", size)
        assert tokenizer.decoded_size(ids) == (len(text), len(text.encode()))


@pytest.mark.parametrize("name", MAKERS)
def test_the_text_of_a_continuation_is_what_the_prompt_lacks(
    name: str, made: dict[str, Path]
) -> None:
    vocabulary = TextTokenizer.from_file(made[name]).vocabulary(documents=True)
    prompt, all_ids = vocabulary.encode("the cat"), vocabulary.encode("the cat sat on")
    assert all_ids[: prompt.size].tolist() == prompt.tolist()
    assert continuation_text(vocabulary, prompt, all_ids[prompt.size :]) == " sat on"
    two = np.concatenate([all_ids[prompt.size :], [vocabulary.boundary], prompt])
    assert continuation_text(vocabulary, prompt, two) == " sat on\nthe cat"


def test_special_tokens_truncation_and_padding_of_the_file_do_not_count(tmp_path: Path) -> None:
    words = {"a": 0, "b": 1, "[BOS]": 2, "[PAD]": 3}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(words))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["[BOS]", "[PAD]"])
    tokenizer.post_processor = processors.TemplateProcessing("[BOS] $A", None, [("[BOS]", 2)])
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(pad_id=3, pad_token="[PAD]", length=8)
    tokenizer.save(str(tmp_path / "t.json"))
    corpus = Corpus.from_text("a b [BOS]a b", tokenizer=str(tmp_path / "t.json"))
    assert corpus.tokens.tolist() == [0, 1, 2, 0, 1]
    assert corpus.decode([2, 0]) == "[BOS] a"


def test_a_vocabulary_is_its_tokenizer(made: dict[str, Path], tmp_path: Path) -> None:
    corpus = Corpus.from_text("the cat", tokenizer=str(made["bpe"]))
    own = corpus.vocabulary
    assert own.kind == "tokenizer"
    assert own.definition == made["bpe"].read_text(encoding="utf-8")
    assert Vocabulary.from_parts("tokenizer", own.definition, own.size, None) == own
    with pytest.raises(ArgumentError, match="needs the JSON"):
        Vocabulary.from_parts("tokenizer", "", own.size, None)
    with pytest.raises(ArgumentError, match=f"the id {own.size} is not in the vocabulary"):
        corpus.decode([own.size])
    model_vocabulary = Vocabulary.from_parts("tokenizer", own.definition + " ", own.size, None)
    with pytest.raises(ArgumentError, match="different vocabularies"):
        require_same_vocabulary(model_vocabulary, own, own.size)


def test_encoded_ids_must_be_inside_the_vocabulary(made: dict[str, Path]) -> None:
    running = TextTokenizer.from_file(made["bpe"]).vocabulary(documents=False)
    documents = TextTokenizer.from_file(made["bpe"]).vocabulary(documents=True)
    size = running.size
    with pytest.raises(ArgumentError, match=f"{size} is outside the vocabulary of {size}"):
        Corpus.from_encoded(np.array([size], np.uint32), running)
    with pytest.raises(ArgumentError, match=f"{size} is outside the vocabulary of {size}"):
        Corpus.from_encoded(np.array([size], np.uint32), documents, np.array([1]))
    with pytest.raises(ArgumentError, match="no boundary"):
        Corpus.from_encoded(np.array([1], np.uint32), documents)
    with pytest.raises(ArgumentError, match="need a vocabulary with a boundary"):
        Corpus.from_encoded(np.array([1], np.uint32), running, np.array([1]))


def test_ids_with_holes_up_to_200000_are_built_on(tmp_path: Path) -> None:
    chooser = np.random.default_rng(0)
    chosen = chooser.choice(200_000, 300, replace=False).tolist()
    words = {f"w{id}": id for id in [*chosen, 199_999]}
    path = words_tokenizer(tmp_path / "sparse.json", words)
    text = " ".join(chooser.choice(list(words), 3000)) + " w199999"
    index = TrieIndex.build(Corpus.from_text(text, tokenizer=str(path)), 3, val_fraction=0.1)
    assert index.vocab_size == 200_000
    assert index.tokens.dtype == np.uint32
    index.save(str(tmp_path / "sparse.agpt"))
    path.unlink()
    opened = TrieIndex.open(str(tmp_path / "sparse.agpt"))
    assert opened.verify() == []
    pair = opened.decode(opened.tokens[:2])
    assert opened.encode(pair).tolist() == opened.tokens[:2].tolist()
    pairs = list(zip(opened.tokens[:-1].tolist(), opened.tokens[1:].tolist(), strict=True))
    assert opened.next_counts(opened.tokens[:1])[int(opened.tokens[1])] == pairs.count(pairs[0])
    everything = np.concatenate([opened.tokens, opened.held_out])
    assert opened.decode(everything) == text


@pytest.mark.parametrize("documents", [False, True])
def test_a_vocabulary_above_65535_from_build_to_generation(
    documents: bool, run_json: RunJson, run_command: RunCommand, tmp_path: Path
) -> None:
    n_words = 70_000
    words = {f"w{id}": id for id in range(n_words)}
    tokenizer = words_tokenizer(tmp_path / "words.json", words)
    chooser = np.random.default_rng(1)
    used = [*chooser.choice(n_words, 50).tolist(), n_words - 1]
    lines = [" ".join(f"w{id}" for id in chooser.choice(used, 12)) for _ in range(60)]
    corpus, other = tmp_path / "text.jsonl", tmp_path / "other.txt"
    corpus.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    other.write_text("\n".join(lines))
    read = ["--tokenizer", tokenizer, "--starts", "documents" if documents else "every"]
    built = run_json(build, corpus, *read, "--depth", "4")
    assert built["vocab_size"] == n_words + documents
    tokenizer.unlink()  # everything else needs the index or the model only
    trained = run_json(train, built["path"], *TINY, "--d-model", "4", "--steps", "1")
    assert trained["evaluation"]["bits_per_character"] > 0
    model = trained["model"]
    from_index = run_json(perplexity, model, "--index", built["path"])
    for path in (corpus, other):
        from_text = run_json(perplexity, model, "--corpus", path)
        for name in ("positions", "loss", "bits_per_character", "bits_per_byte"):
            assert from_text[name] == pytest.approx(from_index[name])
    written = run_json(generate, model, "--prompt", lines[0], "--max-tokens", "5")
    assert all(word.startswith("w") for word in written["samples"][0].split())
    (sample,) = Model.load(model).generate("", max_tokens=4)
    assert len(sample.split()) <= 4
    assert_fails(run_command(generate, model, "--prompt", "word"), DATA, "cannot encode the text")


def test_a_corpus_is_trained_on_by_a_tokenizer_without_an_index(
    run_json: RunJson, corpus_file: Path, made: dict[str, Path]
) -> None:
    trained = run_json(train, corpus_file, "--tokenizer", made["bpe"], "--depth", "4", *TINY)
    score = run_json(perplexity, trained["model"], "--corpus", corpus_file)
    assert score["loss"] == pytest.approx(trained["evaluation"]["loss"])
    everything = ["--corpus", corpus_file, "--split", "train", "--val-fraction", "0"]
    total = run_json(perplexity, trained["model"], *everything)
    text = corpus_file.read_text()
    n_tokens = len(whole_ids(made["bpe"], text))
    nats_per_character = total["loss"] * n_tokens / len(text)
    assert total["bits_per_character"] == pytest.approx(nats_per_character / np.log(2))


def test_bad_tokenizers_are_one_sentence(
    run_command: RunCommand, corpus_file: Path, tmp_path: Path
) -> None:
    def fails(content: bytes, *parts: str) -> None:
        (tmp_path / "t.json").write_bytes(content)
        result = run_command(build, corpus_file, "--tokenizer", tmp_path / "t.json")
        assert_fails(result, DATA, "t.json", *parts)

    fails(b"{}", "no tokenizer of Hugging Face")
    fails(b"not JSON", "no tokenizer of Hugging Face")
    fails(b"\xff", "not UTF-8")
    words_tokenizer(tmp_path / "w.json", {"a": 0})
    fails((tmp_path / "w.json").read_bytes(), "cannot encode the text")
    words_tokenizer(tmp_path / "w.json", {})
    fails((tmp_path / "w.json").read_bytes(), "an empty vocabulary")
    result = run_command(build, corpus_file, "--tokenizer", tmp_path / "absent.json")
    assert_fails(result, DATA, "absent.json: no such file")
    result = run_command(build, corpus_file, "--tokenizer", tmp_path)
    assert_fails(result, USAGE, "none of char, byte and FILE.json")
    assert not corpus_file.with_suffix(".agpt").exists()


def test_a_text_of_which_no_token_is_made(made: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="makes no token of the text"):
        Corpus.from_text("  \n ", tokenizer=str(made["wordpiece"]))
    empty = tmp_path / "empty.txt"
    empty.write_text("\n\n")
    with pytest.raises(FormatError, match=r"no text in .*empty\.txt"):
        Corpus.from_file(empty, tokenizer=made["wordpiece"], documents=True)
    empty.write_text("")
    with pytest.raises(FormatError, match=r"no text in .*empty\.txt"):
        Corpus.from_file(empty, tokenizer=made["wordpiece"])
    with pytest.raises(ArgumentError, match="documents of ids need none"):
        Corpus.from_documents([[1]], tokenizer=str(made["wordpiece"]))


def test_the_missing_library_is_named_with_its_extra(
    made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ArgumentError, match=r"needs tokenizers: .*'agpt-engine\[tokenizers\]'"):
        Corpus.from_text("a", tokenizer=str(made["bpe"]))
