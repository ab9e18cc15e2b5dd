// Bindings of cpp/corpus: vocabularies and encoded texts.
#include "cpp/corpus/corpus.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "cpp/base/error.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"

using namespace nb::literals;

namespace {

using agpt::Corpus;
using agpt::Index;
using agpt::Vocabulary;

constexpr const char* kEncodeSignature = "def encode(self, text: str) -> numpy.typing.NDArray[numpy.uint32]";
constexpr const char* kDecodeSignature = "def decode(self, tokens: numpy.typing.ArrayLike) -> str";

// What the package does with tokenizers, which the engine only keeps.
nb::object tokenizer_module() { return nb::module_::import_("agpt.data.tokenizer"); }

nb::object encode(const Vocabulary& vocabulary, const nb::str& text) {
  if (vocabulary.kind() == agpt::VocabularyKind::tokenizer)
    return tokenizer_module().attr("encode_with")(vocabulary.definition(), text);
  return nb::cast(array_of(vocabulary.encode(utf8_of(text))));
}

nb::object decode(const Vocabulary& vocabulary, nb::handle tokens) {
  if (vocabulary.kind() == agpt::VocabularyKind::tokenizer)
    return tokenizer_module().attr("decode_with")(vocabulary.definition(), array_of(tokens_of(tokens)),
                                                  vocabulary.size(), vocabulary.boundary());
  const std::string text = vocabulary.decode(tokens_of(tokens));
  // Bytes that a model made up need not be UTF-8.
  return nb::steal<nb::str>(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

Corpus from_plain_file(const std::filesystem::path& path, const std::string& tokenizer, bool documents) {
  const agpt::VocabularyKind kind = agpt::parse_vocabulary_kind(tokenizer);
  nb::gil_scoped_release release;
  return Corpus::from_file(path.string(), kind, documents);
}

// Files in other forms, and tokenizers, are read by the package.
nb::object from_files(nb::handle paths, nb::handle tokenizer, bool documents, nb::handle text_field) {
  return nb::module_::import_("agpt.data.reading").attr("read_corpus")(paths, tokenizer, documents, text_field);
}

nb::object from_file(nb::handle path, nb::handle tokenizer, bool documents, nb::handle text_field) {
  return from_files(nb::make_tuple(path), tokenizer, documents, text_field);
}

template <class Element>
using FlatArray = nb::ndarray<const Element, nb::ndim<1>, nb::c_contig>;

template <class Element>
std::span<const Element> span_of(const FlatArray<Element>& array) {
  return {array.data(), array.size()};
}

// The parts of `all` that end at `ends`, one behind the other.
template <class Element>
std::vector<std::span<const Element>> cut_at(std::span<const Element> all, std::span<const int64_t> ends) {
  std::vector<std::span<const Element>> parts;
  parts.reserve(ends.size());
  size_t begin = 0;
  for (const int64_t end : ends) {
    AGPT_REQUIRE(std::cmp_greater_equal(end, begin) && std::cmp_less_equal(end, all.size()),
                 "a document that ends at " + std::to_string(end) + " does not fit between " + std::to_string(begin) +
                     " and the end of everything at " + std::to_string(all.size()));
    parts.push_back(all.subspan(begin, static_cast<size_t>(end) - begin));
    begin = static_cast<size_t>(end);
  }
  return parts;
}

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Corpus from_bytes(const FlatArray<uint8_t>& data, const std::string& tokenizer,
                  const std::optional<FlatArray<int64_t>>& document_ends) {
  const agpt::VocabularyKind kind = agpt::parse_vocabulary_kind(tokenizer);
  nb::gil_scoped_release release;
  if (!document_ends) return Corpus::from_text(text_of(span_of(data)), kind);
  std::vector<std::string_view> documents;
  for (const std::span<const uint8_t> part : cut_at(span_of(data), span_of(*document_ends)))
    documents.push_back(text_of(part));
  return Corpus::from_documents(documents, kind);
}

Corpus from_encoded(const FlatArray<agpt::Token>& ids, const Vocabulary& vocabulary,
                    const std::optional<FlatArray<int64_t>>& document_ends) {
  nb::gil_scoped_release release;
  if (!document_ends) return Corpus::from_encoded(span_of(ids), vocabulary);
  return Corpus::from_encoded_documents(cut_at(span_of(ids), span_of(*document_ends)), vocabulary);
}

bool is_tokenizer_file(const nb::str& tokenizer) { return std::string_view(tokenizer.c_str()).ends_with(".json"); }

nb::object from_text(const nb::str& text, const nb::str& tokenizer) {
  if (is_tokenizer_file(tokenizer)) return tokenizer_module().attr("corpus_of_text")(text, tokenizer);
  return nb::cast(Corpus::from_text(utf8_of(text), agpt::parse_vocabulary_kind(tokenizer.c_str())));
}

Corpus from_tokens(nb::handle tokens, std::optional<Index> vocab_size) {
  return visit_integers(integer_array(tokens), [&](auto ids) { return Corpus::from_tokens(ids, vocab_size); });
}

nb::object from_documents(const nb::sequence& documents, const nb::str& tokenizer, std::optional<Index> vocab_size) {
  if (is_tokenizer_file(tokenizer) && !vocab_size)
    return tokenizer_module().attr("corpus_of_documents")(documents, tokenizer);
  const agpt::VocabularyKind kind = agpt::parse_vocabulary_kind(tokenizer.c_str());
  std::vector<nb::object> kept;  // they own the texts
  size_t n_texts = 0;
  for (nb::handle document : documents) {
    kept.push_back(nb::borrow(document));
    n_texts += nb::isinstance<nb::str>(document);
  }
  AGPT_REQUIRE(n_texts == 0 || n_texts == kept.size(), "documents must be either all text or all tokens");
  if (n_texts > 0) {
    AGPT_REQUIRE(!vocab_size, "vocab_size is for documents of tokens: the vocabulary of texts is found in them");
    std::vector<std::string_view> texts;
    for (const nb::object& document : kept) texts.push_back(utf8_of(document));
    return nb::cast(Corpus::from_documents(texts, kind));
  }
  std::vector<std::vector<agpt::Token>> ids;
  for (const nb::object& document : kept) ids.push_back(tokens_of(document));
  return nb::cast(Corpus::from_token_documents(ids, vocab_size));
}

void bind_vocabulary(nb::module_& m) {
  nb::class_<Vocabulary>(m, "Vocabulary", "What the token ids of a text stand for.")
      .def_static(
          "from_parts",
          [](const std::string& kind, const nb::str& definition, Index size, std::optional<agpt::Token> boundary) {
            return Vocabulary::from_parts(agpt::parse_vocabulary_kind(kind), utf8_of(definition), size, boundary);
          },
          "kind"_a, "definition"_a, "size"_a, "boundary"_a.none(), "The vocabulary that had these attributes.")
      .def_prop_ro(
          "kind", [](const Vocabulary& self) { return agpt::to_string(self.kind()); },
          "'char', 'byte', 'tokens' or 'tokenizer'.")
      .def_prop_ro("characters", &Vocabulary::characters, "The characters in id order; empty for other kinds.")
      .def_prop_ro("definition", &Vocabulary::definition,
                   "What turns ids into text: the characters, or the JSON of the tokenizer; empty for other kinds.")
      .def_prop_ro("size", &Vocabulary::size, "Number of ids, the boundary included.")
      .def_prop_ro("boundary", &Vocabulary::boundary, "The id that begins and ends documents, or None.")
      .def("encode", &encode, "text"_a, nb::sig(kEncodeSignature),
           "The ids of a text. ArgumentError names a character that is not in the vocabulary.")
      .def("decode", &decode, "tokens"_a, nb::sig(kDecodeSignature), "The text of ids; boundaries vanish.")
      .def(
          "__eq__", [](const Vocabulary& self, const Vocabulary& other) { return self == other; }, nb::is_operator())
      .def("__repr__", [](const Vocabulary& self) {
        return "Vocabulary(kind='" + agpt::to_string(self.kind()) + "', size=" + std::to_string(self.size()) + ")";
      });
}

}  // namespace

void bind_corpus(nb::module_& m) {
  bind_vocabulary(m);
  nb::class_<Corpus>(m, "Corpus", "A text as token ids with its vocabulary: one running text, or documents.")
      .def_static("from_file", &from_file, "path"_a, "tokenizer"_a = "char", "documents"_a = false,
                  "text_field"_a = "text",
                  nb::sig("def from_file(path: str | os.PathLike[str], tokenizer: str | os.PathLike[str] = 'char', "
                          "documents: bool = False, text_field: str = 'text') -> Corpus"),
                  "from_files() of one file.")
      .def_static(
          "from_files", &from_files, "paths"_a, "tokenizer"_a = "char", "documents"_a = false, "text_field"_a = "text",
          nb::sig("def from_files(paths: collections.abc.Sequence[str | os.PathLike[str]], "
                  "tokenizer: str | os.PathLike[str] = 'char', documents: bool = False, text_field: str = 'text') -> "
                  "Corpus"),
          "Reads files in the order given, as characters ('char'), bytes ('byte') or tokens of the tokenizer in "
          "a file NAME.json of Hugging Face. A name that ends in .jsonl is of JSON objects, one a line, with a text in "
          "text_field; .gz and .zst are decompressed; "
          "'-' is standard input. With documents, each line of a text or object of JSON lines that is not "
          "empty is one.")
      .def_static("from_plain_file", &from_plain_file, "path"_a, "tokenizer"_a = "char", "documents"_a = false,
                  "from_file() for a text file whatever its name; it is mapped, not copied.")
      .def_static("from_bytes", &from_bytes, "data"_a, "tokenizer"_a = "byte", "document_ends"_a.none() = nb::none(),
                  nb::sig("def from_bytes(data: bytes | bytearray | memoryview, tokenizer: str = 'byte', "
                          "document_ends: numpy.typing.NDArray[numpy.int64] | None = None) -> Corpus"),
                  "A text as its bytes, in UTF-8 for 'char'. With document_ends, the documents stand one behind the "
                  "other and number i ends before byte document_ends[i].")
      .def_static("from_encoded", &from_encoded, "ids"_a, "vocabulary"_a, "document_ends"_a.none() = nb::none(),
                  nb::sig("def from_encoded(ids: numpy.typing.NDArray[numpy.uint32], vocabulary: Vocabulary, "
                          "document_ends: numpy.typing.NDArray[numpy.int64] | None = None) -> Corpus"),
                  "Ids of a vocabulary, in one text or, with a boundary, in documents; none of them is the boundary.")
      .def_static("from_text", &from_text, "text"_a, "tokenizer"_a = "char",
                  nb::sig("def from_text(text: str, tokenizer: str = 'char') -> Corpus"),
                  "A text as characters, as UTF-8 bytes, or as tokens of NAME.json.")
      .def_static("from_tokens", &from_tokens, "tokens"_a, "vocab_size"_a.none() = nb::none(),
                  nb::sig("def from_tokens(tokens: numpy.typing.ArrayLike, vocab_size: int | None = None) -> Corpus"),
                  "Ids below vocab_size, by default the largest id + 1.")
      .def_static("from_documents", &from_documents, "documents"_a, "tokenizer"_a = "char",
                  "vocab_size"_a.none() = nb::none(),
                  nb::sig("def from_documents(documents: collections.abc.Sequence[str] | "
                          "collections.abc.Sequence[numpy.typing.ArrayLike], "
                          "tokenizer: str = 'char', vocab_size: int | None = None) -> Corpus"),
                  "A list of texts, or of arrays of ids; one more id becomes the boundary that begins and ends each.")
      .def_prop_ro(
          "tokens", [](nb::handle self) { return array_of(nb::cast<const Corpus&>(self).tokens(), self); },
          nb::for_getter(nb::sig("def tokens(self) -> numpy.typing.NDArray[typing.Any]")),
          "The ids, in place and read-only; each document stands between two boundaries.")
      .def_prop_ro("n_tokens", &Corpus::n_tokens)
      .def_prop_ro("vocab_size", [](const Corpus& self) { return self.vocabulary().size(); })
      .def_prop_ro("vocabulary", &Corpus::vocabulary, nb::rv_policy::reference_internal)
      .def_prop_ro("documents", &Corpus::has_documents, "Whether it is made of documents.")
      .def(
          "encode", [](const Corpus& self, const nb::str& text) { return encode(self.vocabulary(), text); }, "text"_a,
          nb::sig(kEncodeSignature))
      .def(
          "decode", [](const Corpus& self, nb::handle tokens) { return decode(self.vocabulary(), tokens); }, "tokens"_a,
          nb::sig(kDecodeSignature))
      .def("__repr__", [](const Corpus& self) {
        return "Corpus(n_tokens=" + std::to_string(self.n_tokens()) +
               ", vocab_size=" + std::to_string(self.vocabulary().size()) +
               (self.has_documents() ? ", documents=True)" : ")");
      });
}
